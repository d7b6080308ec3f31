"""Fixed columns of `spans`, `logs` and `dataset_rows`: their positions among a builder's leaves.

tracestore.variant.tables lists the same names in the same order; a test holds the two together.
Node numbers: the root is 0, then the variants, then the stored columns, then the computed ones.
"""

cdef enum SpanColumn:
    SPAN_PROJECT = 0
    SPAN_EXPERIMENT
    SPAN_TRACE_ID
    SPAN_SPAN_ID
    SPAN_PARENT_SPAN_ID
    SPAN_NAME
    SPAN_KIND
    SPAN_TYPE
    SPAN_SERVICE
    SPAN_START_NS
    SPAN_DURATION_NS
    SPAN_STATUS_CODE
    SPAN_STATUS_MESSAGE
    SPAN_SCOPE_NAME
    SPAN_SCOPE_VERSION
    SPAN_TRACE_STATE
    SPAN_FLAGS
    SPAN_DROPPED_ATTRIBUTES
    SPAN_DROPPED_EVENTS
    SPAN_DROPPED_LINKS
    SPAN_RESOURCE_SCHEMA_URL
    SPAN_SCOPE_SCHEMA_URL
    SPAN_RESOURCE_DROPPED
    SPAN_SCOPE_DROPPED
    SPAN_INPUT_KEY
    SPAN_MOVED_ATTRIBUTES
    SPAN_COLUMNS

cdef enum LogColumn:
    LOG_PROJECT = 0
    LOG_EXPERIMENT
    LOG_TRACE_ID
    LOG_SPAN_ID
    LOG_TIME_NS
    LOG_OBSERVED_TIME_NS
    LOG_SEVERITY_NUMBER
    LOG_SEVERITY_TEXT
    LOG_EVENT_NAME
    LOG_SERVICE
    LOG_SCOPE_NAME
    LOG_SCOPE_VERSION
    LOG_FLAGS
    LOG_DROPPED_ATTRIBUTES
    LOG_RESOURCE_SCHEMA_URL
    LOG_SCOPE_SCHEMA_URL
    LOG_RESOURCE_DROPPED
    LOG_SCOPE_DROPPED
    LOG_COLUMNS

cdef enum DatasetColumn:
    DATASET_PROJECT = 0
    DATASET_DATASET_ID
    DATASET_ID
    DATASET_VERSION
    DATASET_CREATED_NS
    DATASET_DELETED
    DATASET_DIGEST
    DATASET_INPUT_KEY
    DATASET_COLUMNS

# Variants come first in every table, in spans and logs in one order: a resource or scope is found at one place.
cdef enum VariantNode:
    NODE_ATTRIBUTES = 1
    NODE_RESOURCE = 2
    NODE_SCOPE = 3
    SPAN_NODE_EVENTS = 4
    SPAN_NODE_LINKS = 5
    SPAN_NODE_INPUT = 6
    SPAN_NODE_OUTPUT = 7
    SPAN_NODE_EXPECTED = 8
    SPAN_NODE_SCORES = 9
    SPAN_NODE_METRICS = 10
    SPAN_NODE_METADATA = 11
    SPAN_NODE_TAGS = 12
    SPAN_NODE_ERROR = 13
    LOG_NODE_BODY = 4
    DATASET_NODE_INPUT = 1

cdef enum:
    SPAN_VARIANTS = 13
    LOG_VARIANTS = 4
    DATASET_VARIANTS = 5

# Positions among the computed columns.
cdef enum ComputedColumn:
    SPAN_START_TIME = 0
    SPAN_END_TIME = 1
    SPAN_DURATION = 2
    SPAN_IS_ROOT = 3
    LOG_TIME = 0
