from typing_extensions import disjoint_base

@disjoint_base
class ArrowBatch:
    def __arrow_c_array__(self, requested_schema: object = ...) -> tuple[object, object]: ...
