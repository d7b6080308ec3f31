"""The table of conventions, compiled: which attribute tells which column of a span, and what one span has said.

tracestore.variant.conventions is the table. A *slot* is one thing that a span may be told once; of the attributes
that tell it the one of lowest rank wins. Lookups make no copy: a first byte that no attribute begins with ends one.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from tracestore._native.buffer cimport Buffer, same_bytes
from tracestore._native.hashing cimport hash_bytes
from tracestore._native.protobuf cimport Wire

cdef extern from "platform.h" nogil:
    int ts_ctz64(uint64_t v) noexcept

cdef enum:
    # A bit each in 64.
    MAX_SLOTS = 64
    MAX_PREFIXES = 32
    NO_SLOT = 0xFF
    # Places for names of messages: a power of two, at most half full.
    NAME_PLACES = 1024

cdef enum SlotKind:
    # The whole value moves into a variant column.
    SLOT_MOVED = 0
    # The whole value, parsed where it is JSON text, is copied into a variant column.
    SLOT_PARSED
    # A number copied below `metrics`, or below `metrics.aggregated` on a span that repeats others.
    SLOT_USAGE
    SLOT_AGGREGATED
    SLOT_NUMBER
    # A string, number or bool copied below `metadata`.
    SLOT_SCALAR
    SLOT_TYPE
    SLOT_EVALUATION_NAME
    SLOT_EVALUATION_SCORE
    SLOT_ERROR_TYPE
    SLOT_ERROR_MESSAGE
    # Words of the system, which become the first message of the input.
    SLOT_SYSTEM
    # A call without an answer only began a stream, which another span tells.
    SLOT_BEGUN
    SLOT_KINDS

cdef enum RuleFlag:
    RULE_MILLISECONDS = 1
    # The value is a JSON object whose member `type` counts.
    RULE_TYPE_IN_JSON = 2
    # Numbered keys with a fixed word behind each number.
    RULE_WRAPPED = 4
    # The word of a type repeats what spans below it report.
    RULE_AGGREGATING = 8
    # The text is always JSON: a quoted string, a number and a word of it are parsed as well.
    RULE_JSON = 16
    # Text that is a JSON object or array is parsed.
    RULE_OPEN_JSON = 32
    # Words with commas between them.
    RULE_COMMAS = 64
    # The number is of milliseconds where it is an integer.
    RULE_WHOLE_MILLISECONDS = 128
    # The text is a time: how long after the span's start.
    RULE_TIME = 256
    # Says something of spans that failed only; a status of HTTP is also the message.
    RULE_FAILED = 512
    RULE_HTTP_STATUS = 1024
    # The payload may be messages; a request of messages whatever the span is.
    RULE_MESSAGES = 2048
    RULE_REQUEST = 4096
    # The text, and the calls, of one answer.
    RULE_TEXT = 8192
    RULE_CALLS = 16384
    # A list of texts, each of which is JSON.
    RULE_TEXTS_OF_JSON = 32768


cdef enum ValueForm:
    # What a candidate's value is: an AnyValue message, text, a number, or nanoseconds since 1970.
    VALUE_ANY = 0
    VALUE_TEXT
    VALUE_I64
    VALUE_F64
    VALUE_TIME


cdef enum UsagePart:
    # Counts that depend on each other.
    PART_PROMPT = 0
    PART_COMPLETION
    PART_TOTAL
    PART_CACHED
    PART_CREATED
    PART_REASONING
    PARTS


cdef struct Rule:
    uint64_t hash
    # The attribute's name, or for a type's word its name, NUL and the word.
    uint32_t key_start
    uint32_t key_size
    # What a word means.
    uint32_t word_start
    uint32_t word_size
    # NO_SLOT for a word, and for an attribute whose members alone say something.
    uint8_t slot
    uint8_t rank
    # What the members of an object are called, 0 for nothing; and the rank of what they say.
    uint8_t members
    uint8_t member_rank
    uint16_t flags


cdef struct Prefix:
    uint32_t start
    uint32_t size
    # Of numbered keys: the slot they compete for, NO_SLOT where they stay. Of others: the node they are copied below.
    uint8_t slot
    uint8_t rank
    uint16_t flags
    bint numbered
    uint32_t node


cdef struct Slot:
    SlotKind kind
    uint32_t node
    # The key below the node, empty for the node itself.
    uint32_t name_start
    uint32_t name_size
    # A count of tokens: an integer that is not negative.
    bint is_count
    # The name of a provider: without the kind of call behind a dot.
    bint is_provider


cdef struct Wrapper:
    uint32_t list_start
    uint32_t list_size
    uint32_t word_start
    uint32_t word_size


cdef struct Name:
    # A name in messages, and what it means; kind 0 is a free place.
    uint64_t hash
    uint32_t start
    uint16_t size
    uint8_t kind
    uint8_t meaning


cdef struct Table:
    Buffer text
    Rule* rules
    uint32_t rule_count
    uint32_t* places
    uint32_t mask
    Slot slots[MAX_SLOTS]
    uint32_t slot_count
    # A bit for each slot of a kind.
    uint64_t of_kind[SLOT_KINDS]
    # The slots of the parts of usage.
    uint8_t parts[PARTS]
    Prefix prefixes[MAX_PREFIXES]
    uint32_t prefix_count
    Wrapper wrappers[MAX_PREFIXES]
    uint32_t wrapper_count
    uint64_t seed
    Name names[NAME_PLACES]
    uint32_t name_count
    # By first byte: whether an attribute, and whether a prefix, begins with it.
    uint8_t attribute_firsts[256]
    uint8_t prefix_firsts[256]


cdef struct Candidate:
    # What tells a slot: an attribute, or an array that numbered keys made, whose JSON text lies in `texts`.
    Wire key
    Wire value
    uint8_t slot
    uint8_t rank
    uint16_t flags
    # 0 for none, else 1 + its number.
    uint8_t prefix
    uint8_t form
    # A payload without content: it loses to one that has some.
    bint empty
    # An integer, or the bits of a double.
    uint64_t word
    # From an event, which keeps it.
    bint copied
    # Won, and stays an attribute as well: what its column holds is another form of it.
    bint stays
    # Place among those noted; for an array, its keys and its JSON in `texts`.
    uint32_t order
    uint32_t first
    uint32_t count
    size_t text_start
    size_t text_end


cdef struct Normal:
    # A payload as messages in one form, of a MessageShape; its items are places in the text, two size_t each.
    Buffer text
    Buffer items
    int shape
    # How the original was spelled, where it can be told from the text: as parts, as JSON text, and with arguments (1)
    # and results (2) that were text of JSON.
    bint in_parts
    bint from_text
    int texts
    bint exact


cdef struct SpanFields:
    # What the attributes and events of the span under way have said. NULL: conventions are off.
    const Table* table
    uint64_t told
    Candidate best[MAX_SLOTS]
    # Candidates of slots that move: which one wins is known at the end.
    Buffer waiting
    # Candidates under numbered keys.
    Buffer numbered
    # Attributes to copy below `metadata` under the rest of their name.
    Buffer prefixed
    # Pairs of candidates: the name and the score of an evaluation.
    Buffer evaluations
    # JSON made here. `inputs` and `outputs` hold messages of events, comma first.
    Buffer texts
    Buffer inputs
    Buffer outputs
    # JSON scratch of input_key.
    Buffer pairs
    Buffer scratch
    Buffer moved
    # Of the input and of the output; and what is needed to write them.
    Normal normal[2]
    Buffer source
    Buffer system
    Buffer places
    Buffer parts
    Buffer decoded
    Wire error_type
    Wire error_message
    bint failed
    uint64_t start_ns


cdef inline bint is_told(const SpanFields* f, uint32_t slot) noexcept nogil:
    return (f.told >> slot) & 1


cdef inline const Candidate* only(const SpanFields* f, SlotKind kind) noexcept nogil:
    # What was told of a kind with one slot, NULL for nothing.
    cdef uint64_t told = f.told & f.table.of_kind[<int>kind]
    if told:
        return &f.best[ts_ctz64(told)]
    return NULL


cdef class Conventions:
    cdef Table table
    cdef uint8_t next_slot
    cdef object aggregating
    cdef object keep(self, text)
    cdef int new_prefix(self, text, node) except -1
    cdef int add_rule(self, name, rank, flags, word) except -1
    cdef int make_room(self, uint32_t size) except -1


cdef inline const Rule* find_rule(const Table* t, const uint8_t* p, size_t size) noexcept nogil:
    cdef uint64_t h = hash_bytes(p, size, t.seed)
    cdef uint32_t at = <uint32_t>h & t.mask
    cdef const Rule* rule
    while t.places[at]:
        rule = &t.rules[t.places[at] - 1]
        if rule.hash == h and rule.key_size == size and same_bytes(t.text.data + rule.key_start, p, size):
            return rule
        at = (at + 1) & t.mask
    return NULL


# The number of the prefix that a name begins with, plus 1; 0 for none. A numbered one wants a digit behind it.
cdef int find_prefix(const Table* t, const uint8_t* p, size_t size) noexcept nogil
