"""The columns of a span that conventions tell: see span_fields.pxd, and tracestore.variant.conventions for the table.

Attributes are noted as they come and settled when the span ends: of those that tell one thing the first in the
table's order wins. A winner of `input`, `output` or `expected` moves there and is noted in `moved_attributes`, so
that it is stored once and can be put back; losers stay attributes. Everything else is copied. Linear in the span,
but for sorting numbered keys.
"""

from libc.stdint cimport INT64_MAX, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u8
from tracestore._native.builder cimport NONE, State, child_existing, child_find
from tracestore._native.conventions cimport (
    NO_SLOT,
    RULE_TYPE_IN_JSON,
    SLOT_EVALUATION_NAME,
    SLOT_EVALUATION_SCORE,
    SLOT_MOVED,
    SLOT_TYPE,
    VALUE_TIME,
    Candidate,
    Prefix,
    Rule,
    Slot,
    SpanFields,
    Table,
    find_prefix,
    find_rule,
    is_told,
    ts_ctz64,
)
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_key,
    json_open,
    json_separator,
    json_skip_value,
    json_space,
    json_string,
)
from tracestore._native.json_shredder cimport shred_member
from tracestore._native.messages cimport SHAPE_NONE
from tracestore._native.numbered_keys cimport fits_alone, nest, sort_numbered
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_STRING,
    AnyValue,
    read_any,
    read_key_value,
    read_text,
    shred_pair,
    write_attribute,
)
from tracestore._native.protobuf cimport (
    WIRE_BYTES,
    WIRE_FIXED64,
    Wire,
    wire_bytes,
    wire_fixed64,
    wire_skip,
    wire_tag,
)
from tracestore._native.span_messages cimport normal_of
from tracestore._native.span_payloads cimport first_of, form_of_numbered, note_moved, shred_json
from tracestore._native.span_told cimport is_empty_payload, note_members, note_told, tell
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport NODE_ATTRIBUTES, SPAN_NODE_INPUT, SPAN_NODE_OUTPUT
from tracestore._native.text cimport utf8_first_bad

cdef enum:
    # Behind every rank of the table: what an event keeps as well.
    COPIED_RANK = 0x40
    # Behind both: what holds nothing.
    EMPTY_RANK = 0x80
    # Of one span: numbered keys that are nested, and attributes that are copied under the rest of their name. More are
    # attributes as they came. What waits is bounded by the table: an attribute that comes again replaces itself.
    MAX_NUMBERED = 65_536
    MAX_PREFIXED = 4_096
    # Events of one span that are evaluations.
    MAX_EVALUATIONS = 1_024


cdef inline bint text_is(const Wire* w, const char* text) noexcept nogil:
    return size_of(w) == strlen(text) and memcmp(w.p, text, strlen(text)) == 0


cdef void fields_begin(SpanFields* f) noexcept nogil:
    f.told = 0
    f.waiting.size = 0
    f.numbered.size = 0
    f.prefixed.size = 0
    f.evaluations.size = 0
    f.texts.size = 0
    f.inputs.size = 0
    f.outputs.size = 0
    f.moved.size = 0
    f.normal[0].shape = SHAPE_NONE
    f.normal[1].shape = SHAPE_NONE
    f.failed = 0


cdef void fields_free(SpanFields* f) noexcept nogil:
    buffer_free(&f.waiting)
    buffer_free(&f.numbered)
    buffer_free(&f.prefixed)
    buffer_free(&f.evaluations)
    buffer_free(&f.texts)
    buffer_free(&f.inputs)
    buffer_free(&f.outputs)
    buffer_free(&f.pairs)
    buffer_free(&f.scratch)
    buffer_free(&f.moved)
    buffer_free(&f.normal[0].text)
    buffer_free(&f.normal[0].items)
    buffer_free(&f.normal[1].text)
    buffer_free(&f.normal[1].items)
    buffer_free(&f.source)
    buffer_free(&f.system)
    buffer_free(&f.places)
    buffer_free(&f.parts)
    buffer_free(&f.decoded)


# --- taking note ------------------------------------------------------------------------------------


cdef inline Candidate candidate(
    const Wire* key, const Wire* value, uint8_t slot, uint8_t rank, uint16_t flags
) noexcept nogil:
    cdef Candidate c
    memset(&c, 0, sizeof(c))
    c.key = key[0]
    c.value = value[0]
    c.slot = slot
    c.rank = rank
    c.flags = flags
    return c


cdef int member_of_json(Request* r, const AnyValue* any, const char* name, Wire* out) noexcept nogil:
    # The text at a top-level key of a JSON object in a string, without escapes; empty where it is not so.
    cdef JsonCursor j
    cdef Text key, text
    cdef bint more = 1
    memset(&j, 0, sizeof(j))
    out.p = out.end = any.bytes.end
    j.p = any.bytes.p
    j.end = any.bytes.end
    json_space(&j)
    if any.kind != ANY_STRING or j.p >= j.end or j.p[0] != c'{' or json_open(&j) != TS_OK:
        return TS_OK
    while more:
        if json_key(&j, &r.fields.scratch, &key) != TS_OK:
            return TS_OK
        if key.size == strlen(name) and memcmp(key.p, name, key.size) == 0 and j.p < j.end and j.p[0] == c'"':
            if json_string(&j, &r.fields.scratch, &text) == TS_OK and text.p != r.fields.scratch.data:
                out.p = text.p
                out.end = text.p + text.size
            return TS_OK
        if json_skip_value(&j) != TS_OK or json_separator(&j, c'}', &more) != TS_OK:
            return TS_OK
    return TS_OK


cdef int note_type(Request* r, const Rule* rule, const Wire* key, const Wire* value) noexcept nogil:
    # A word that the table knows tells the type; the candidate's value is what the word means.
    cdef SpanFields* f = &r.fields
    cdef const Rule* meant
    cdef AnyValue any
    cdef Wire word
    cdef Candidate c
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK:
        return status
    if any.kind != ANY_STRING:
        return TS_OK
    word = any.bytes
    if rule.flags & RULE_TYPE_IN_JSON:
        member_of_json(r, &any, b"type", &word)
    f.pairs.size = 0
    if (
        buffer_bytes(&f.pairs, key.p, size_of(key)) != 0
        or buffer_u8(&f.pairs, 0) != 0
        or buffer_bytes(&f.pairs, word.p, size_of(&word)) != 0
    ):
        return TS_NO_MEMORY
    meant = find_rule(f.table, f.pairs.data, f.pairs.size)
    if meant != NULL:
        word.p = f.table.text.data + meant.word_start
        word.end = word.p + meant.word_size
        c = candidate(key, &word, rule.slot, rule.rank, meant.flags)
        tell(f, &c)
    return TS_OK


cdef int note_prefixed(
    Request* r, int number, const Wire* key, const Wire* value, bint copied, bint* waits
) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Prefix* prefix = &f.table.prefixes[number - 1]
    cdef Candidate c = candidate(key, value, prefix.slot, prefix.rank, prefix.flags)
    c.prefix = <uint8_t>number
    if not prefix.numbered:
        if f.prefixed.size >= MAX_PREFIXED * sizeof(c):
            return TS_OK
        return TS_NO_MEMORY if buffer_bytes(&f.prefixed, &c, sizeof(c)) != 0 else <int>TS_OK
    # A name that is no text is repaired as an attribute.
    if copied or f.numbered.size >= MAX_NUMBERED * sizeof(c) or utf8_first_bad(key.p, key.end) != key.end:
        return TS_OK
    c.order = <uint32_t>(f.numbered.size // sizeof(c))
    waits[0] = 1
    return TS_NO_MEMORY if buffer_bytes(&f.numbered, &c, sizeof(c)) != 0 else <int>TS_OK


cdef int wait(SpanFields* f, const Candidate* c) noexcept nogil:
    # Adds a candidate of a payload, in the place of an earlier one of the same attribute.
    cdef Candidate* waiting = <Candidate*>f.waiting.data
    cdef size_t i
    for i in range(f.waiting.size // sizeof(Candidate)):
        if waiting[i].slot == c.slot and waiting[i].rank == c.rank and waiting[i].copied == c.copied:
            waiting[i] = c[0]
            return TS_OK
    return TS_NO_MEMORY if buffer_bytes(&f.waiting, c, sizeof(Candidate)) != 0 else <int>TS_OK


cdef int note(Request* r, const Wire* key, const Wire* value, bint copied, bint* waits) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Table* t = f.table
    cdef const Rule* rule = NULL
    cdef Candidate c
    cdef int number, status
    waits[0] = 0
    if key.p == key.end:
        return TS_OK
    if t.attribute_firsts[key.p[0]]:
        rule = find_rule(t, key.p, size_of(key))
    if rule != NULL:
        if rule.slot != <uint8_t>NO_SLOT and t.slots[rule.slot].kind == SLOT_TYPE:
            return note_type(r, rule, key, value)
        if rule.members:
            status = note_members(r, rule, key, value)
            if status != TS_OK:
                return status
    if rule != NULL and rule.slot != <uint8_t>NO_SLOT:
        c = candidate(key, value, rule.slot, rule.rank, rule.flags)
        c.copied = copied
        if t.slots[rule.slot].kind == SLOT_MOVED:
            waits[0] = not copied
            status = is_empty_payload(r, value, &c.empty)
            return wait(f, &c) if status == TS_OK else status
        status = note_told(r, &c)
        if status != TS_OK:
            return status
    if t.prefix_firsts[key.p[0]]:
        number = find_prefix(t, key.p, size_of(key))
        if number:
            return note_prefixed(r, number, key, value, copied, waits)
    return TS_OK


cdef int note_attribute(Request* r, const Wire* key, const Wire* value, bint* waits) noexcept nogil:
    return note(r, key, value, False, waits)


# --- events -----------------------------------------------------------------------------------------


cdef int note_message(Request* r, Wire event, const char* role, Buffer* out) noexcept nogil:
    # A message of its own event: its attributes and, first, the role that the event's name says.
    cdef Wire w = event
    cdef Wire attribute
    cdef uint32_t field
    cdef int type, status
    if (
        buffer_bytes(out, b",{\"role\":\"", 10) != 0
        or buffer_bytes(out, role, strlen(role)) != 0
        or buffer_u8(out, c'"') != 0
    ):
        return TS_NO_MEMORY
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 3 and type == WIRE_BYTES:
            status = wire_bytes(&w, &attribute, &r.v.error)
            r.v.depth = 0
            if status == TS_OK:
                status = write_attribute(&r.v, attribute, False, out)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return buffer_u8(out, c'}')


cdef int note_event_attributes(Request* r, Wire event, bint exception) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Wire attribute, key, value
    cdef bint waits
    cdef uint32_t field
    cdef int type, status
    while event.p < event.end:
        status = wire_tag(&event, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 3 or type != WIRE_BYTES:
            status = wire_skip(&event, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&event, &attribute, &r.v.error)
        if status == TS_OK:
            status = read_key_value(&r.v, attribute, &key, &value)
        if status == TS_OK and not exception:
            status = note(r, &key, &value, True, &waits)
        elif status == TS_OK and text_is(&key, b"exception.type"):
            f.error_type = value
        elif status == TS_OK and text_is(&key, b"exception.message"):
            f.error_message = value
        if status != TS_OK:
            return status
    return TS_OK


cdef int note_evaluation(Request* r, Wire event) noexcept nogil:
    # Each event has a name and a score of its own; what the span's attributes say of one stays.
    cdef SpanFields* f = &r.fields
    cdef uint64_t names = f.table.of_kind[<int>SLOT_EVALUATION_NAME]
    cdef uint64_t scores = f.table.of_kind[<int>SLOT_EVALUATION_SCORE]
    cdef uint64_t own = f.told & (names | scores)
    cdef Candidate* name = &f.best[ts_ctz64(names)]
    cdef Candidate* score = &f.best[ts_ctz64(scores)]
    cdef Candidate own_name = name[0]
    cdef Candidate own_score = score[0]
    cdef int status
    f.told &= ~(names | scores)
    status = note_event_attributes(r, event, False)
    if f.told & names and f.told & scores and f.evaluations.size < 2 * MAX_EVALUATIONS * sizeof(Candidate):
        if (
            buffer_bytes(&f.evaluations, name, sizeof(Candidate)) != 0
            or buffer_bytes(&f.evaluations, score, sizeof(Candidate)) != 0
        ):
            return TS_NO_MEMORY
    f.told = (f.told & ~(names | scores)) | own
    name[0] = own_name
    score[0] = own_score
    return status


cdef int note_time(Request* r, const Wire* name, uint64_t time_ns) noexcept nogil:
    # An event whose time says something: the first of its name.
    cdef SpanFields* f = &r.fields
    cdef const Rule* rule
    cdef Candidate c
    f.pairs.size = 0
    if buffer_u8(&f.pairs, 2) != 0 or buffer_bytes(&f.pairs, name.p, size_of(name)) != 0:
        return TS_NO_MEMORY
    rule = find_rule(f.table, f.pairs.data, f.pairs.size)
    if rule == NULL or time_ns > <uint64_t>INT64_MAX:
        return TS_OK
    if is_told(f, rule.slot) and f.best[rule.slot].rank <= rule.rank:
        return TS_OK
    c = candidate(name, name, rule.slot, rule.rank, rule.flags)
    c.form = VALUE_TIME
    c.word = time_ns
    tell(f, &c)
    return TS_OK


cdef int note_event(Request* r, Wire event) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Wire w = event
    cdef Wire name
    cdef uint64_t time_ns = 0
    cdef uint32_t field
    cdef int type, status
    name.p = name.end = w.end
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &name, &r.v.error)
        elif field == 1 and type == WIRE_FIXED64:
            status = wire_fixed64(&w, &time_ns, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    status = note_time(r, &name, time_ns)
    if status != TS_OK:
        return status
    if text_is(&name, b"exception"):
        # The last one is what ended the span.
        f.failed = 1
        f.error_type.p = f.error_type.end = NULL
        f.error_message = f.error_type
        return note_event_attributes(r, event, True)
    if size_of(&name) < 7 or memcmp(name.p, b"gen_ai.", 7) != 0:
        return TS_OK
    if text_is(&name, b"gen_ai.system.message"):
        return note_message(r, event, b"system", &f.inputs)
    if text_is(&name, b"gen_ai.user.message"):
        return note_message(r, event, b"user", &f.inputs)
    if text_is(&name, b"gen_ai.assistant.message"):
        return note_message(r, event, b"assistant", &f.inputs)
    if text_is(&name, b"gen_ai.tool.message"):
        return note_message(r, event, b"tool", &f.inputs)
    if text_is(&name, b"gen_ai.choice"):
        return note_message(r, event, b"assistant", &f.outputs)
    return note_evaluation(r, event)


# --- settling: who wins, and what stays an attribute ------------------------------------------------


cdef bint are_roles(const Candidate* found, uint32_t count) noexcept nogil:
    # Messages of which nothing but their roles is told.
    cdef uint32_t i
    for i in range(count):
        if size_of(&found[i].key) < 5 or memcmp(found[i].key.end - 5, b".role", 5) != 0:
            return 0
    return 1


cdef int take_odd_keys(
    Request* r, Candidate* found, uint32_t first, uint32_t* count, uint32_t* before
) noexcept nogil:
    # Keys that no array has stay attributes, so that the others make one.
    cdef uint32_t kept = first
    cdef uint32_t i
    cdef int status
    for i in range(first, first + count[0]):
        if fits_alone(r.fields.table, &found[i]):
            found[kept] = found[i]
            kept += 1
            continue
        status = shred_pair(&r.v, &found[i].key, &found[i].value, NODE_ATTRIBUTES, before)
        if status != TS_OK:
            return status
    count[0] = kept - first
    return TS_OK


cdef int nest_group(
    Request* r, Candidate* found, uint32_t first, uint32_t count, uint32_t* before
) noexcept nogil:
    # The array that numbered keys of one prefix make waits like an attribute; without `text_end` it makes none.
    cdef SpanFields* f = &r.fields
    cdef Candidate c
    cdef uint32_t whole = count
    cdef bint fits
    cdef size_t start = f.texts.size
    cdef int status = nest(&r.v, f.table, found + first, count, &f.texts, &fits)
    if status == TS_OK and not fits:
        # Looked for only here: most keys fit, and each odd one keeps all others from their array.
        status = take_odd_keys(r, found, first, &count, before)
        if status == TS_OK and 0 < count < whole:
            status = nest(&r.v, f.table, found + first, count, &f.texts, &fits)
    if status != TS_OK or count == 0:
        return status
    c = found[first]
    c.first = first
    c.count = count
    c.text_start = start
    c.text_end = f.texts.size
    c.empty = are_roles(found + first, count)
    if not fits:
        c.slot = NO_SLOT
        c.text_end = c.text_start
    return TS_NO_MEMORY if buffer_bytes(&f.waiting, &c, sizeof(c)) != 0 else <int>TS_OK


cdef int nest_all(Request* r, uint32_t* before) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* found = <Candidate*>f.numbered.data
    cdef uint32_t count = <uint32_t>(f.numbered.size // sizeof(Candidate))
    cdef uint32_t first = 0
    cdef uint32_t next
    cdef int status
    sort_numbered(found, count, f.table)
    while first < count:
        next = first + 1
        while next < count and found[next].prefix == found[first].prefix:
            next += 1
        status = nest_group(r, found, first, next - first, before)
        if status != TS_OK:
            return status
        first = next
    return TS_OK


cdef int keep_array(Request* r, Candidate* c, uint32_t* before) noexcept nogil:
    # An array that stays among the attributes under its prefix, or its keys as they came where it cannot.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef const Prefix* prefix = &f.table.prefixes[c.prefix - 1]
    cdef const uint8_t* name = f.table.text.data + prefix.start
    cdef Candidate* keys = <Candidate*>f.numbered.data
    cdef uint32_t child = child_existing(s, NODE_ATTRIBUTES, name, prefix.size - 1)
    cdef JsonCursor j
    cdef uint32_t i
    cdef int status
    if c.text_end > c.text_start and (child == NONE or s.nodes[child].seen != s.serial):
        memset(&j, 0, sizeof(j))
        j.p = f.texts.data + c.text_start
        j.end = f.texts.data + c.text_end
        status = shred_member(s, &j, NODE_ATTRIBUTES, name, prefix.size - 1, before)
        if status == TS_OK:
            status = note_moved(f, name, prefix.size, True, NODE_ATTRIBUTES, form_of_numbered(c), b"")
        return status
    for i in range(c.first, c.first + c.count):
        status = shred_pair(&r.v, &keys[i].key, &keys[i].value, NODE_ATTRIBUTES, before)
        if status != TS_OK:
            return status
    return TS_OK


cdef void choose(SpanFields* f, Candidate* waiting, uint32_t count) noexcept nogil:
    # Of the candidates of a payload the first of the table that holds something.
    cdef uint64_t told
    cdef const Slot* slot
    cdef uint32_t i
    cdef int at
    for i in range(count):
        waiting[i].order = i
        if waiting[i].copied:
            waiting[i].rank |= COPIED_RANK
        if waiting[i].empty:
            waiting[i].rank |= EMPTY_RANK
        if waiting[i].slot != NO_SLOT:
            tell(f, &waiting[i])
    # Messages of events are more than an attribute without any.
    told = f.told & f.table.of_kind[<int>SLOT_MOVED]
    while told:
        at = ts_ctz64(told)
        told &= told - 1
        slot = &f.table.slots[at]
        if f.best[at].empty and (
            (slot.node == SPAN_NODE_INPUT and f.inputs.size) or (slot.node == SPAN_NODE_OUTPUT and f.outputs.size)
        ):
            f.told &= ~(<uint64_t>1 << at)


cdef int choose_messages(Request* r, Candidate* waiting, uint32_t count) noexcept nogil:
    # Messages in one form. Where they say nothing, whoever comes after them is asked.
    cdef SpanFields* f = &r.fields
    cdef uint64_t payloads = f.table.of_kind[<int>SLOT_MOVED]
    cdef uint64_t told
    cdef Candidate* best
    cdef uint32_t node
    cdef bint hollow
    cdef bint again = 1
    cdef int at, status
    while again:
        again = 0
        f.told &= ~payloads
        choose(f, waiting, count)
        told = f.told & payloads
        while told:
            at = ts_ctz64(told)
            told &= told - 1
            node = f.table.slots[at].node
            best = &f.best[at]
            if node != SPAN_NODE_INPUT and node != SPAN_NODE_OUTPUT:
                continue
            status = normal_of(r, node == SPAN_NODE_OUTPUT, best, waiting, count, &hollow)
            if status != TS_OK:
                return status
            if hollow and not best.empty:
                waiting[best.order].empty = 1
                again = 1
            best.stays = f.normal[node == SPAN_NODE_OUTPUT].shape != SHAPE_NONE and not (
                f.normal[node == SPAN_NODE_OUTPUT].exact
            )
    return TS_OK


cdef inline bint is_winner(const SpanFields* f, const Candidate* c) noexcept nogil:
    return c.slot != NO_SLOT and is_told(f, c.slot) and f.best[c.slot].order == c.order


cdef inline bint is_gone(const SpanFields* f, const Candidate* c) noexcept nogil:
    # Moved, and nowhere among the attributes.
    return is_winner(f, c) and not f.best[c.slot].stays


cdef int keep_value(Request* r, const Candidate* c, uint32_t* before) noexcept nogil:
    # An attribute that stays. One that won is parsed, as it would be where it went: a conversation is stored by item.
    cdef SpanFields* f = &r.fields
    cdef AnyValue any
    cdef Text text
    cdef uint32_t child
    cdef bint whole = 0
    cdef int status
    if is_winner(f, c):
        status = read_any(&r.v, c.value, &any)
        if status == TS_OK and any.kind == ANY_STRING:
            status = read_text(&r.v, &any.bytes, &text)
            if status == TS_OK and utf8_first_bad(c.key.p, c.key.end) == c.key.end:
                status = child_find(r.v.s, NODE_ATTRIBUTES, before[0], c.key.p, size_of(&c.key), &child)
                if status == TS_OK and child != NONE:
                    before[0] = child
                    if is_open_text(&text):
                        status = shred_json(r, child, &text, &whole)
        if status != TS_OK:
            return status
        if whole:
            return note_moved(f, c.key.p, size_of(&c.key), False, NODE_ATTRIBUTES, b"json", b"")
    return shred_pair(&r.v, &c.key, &c.value, NODE_ATTRIBUTES, before)


cdef inline bint is_open_text(const Text* text) noexcept nogil:
    cdef uint8_t second
    cdef uint8_t first = first_of(text, &second)
    return first == c'{' or first == c'['


cdef int fields_settle(Request* r, uint32_t* before) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* waiting
    cdef uint32_t count, i
    cdef int status
    if f.numbered.size:
        status = nest_all(r, before)
        if status != TS_OK:
            return status
    waiting = <Candidate*>f.waiting.data
    count = <uint32_t>(f.waiting.size // sizeof(Candidate))
    status = choose_messages(r, waiting, count)
    if status != TS_OK:
        return status
    # Attributes before arrays: an array makes way for an attribute of its name.
    for i in range(count):
        if waiting[i].prefix or waiting[i].copied or is_gone(f, &waiting[i]):
            continue
        status = keep_value(r, &waiting[i], before)
        if status != TS_OK:
            return status
    for i in range(count):
        if not waiting[i].prefix or is_gone(f, &waiting[i]):
            continue
        status = keep_array(r, &waiting[i], before)
        if status != TS_OK:
            return status
    return TS_OK
