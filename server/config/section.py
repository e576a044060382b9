"""What every section of the settings has in common."""

from collections.abc import Iterator
from typing import ClassVar, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A group of settings: immutable, with no keys but its own, and silent about values in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    # Keys that a file may give here and that loading turns into other fields.
    input_keys: ClassVar[tuple[str, ...]] = ()
    # Fields that only loading gives.
    derived_fields: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_sections(cls, data: object) -> object:
        """Reads a section with nothing under it as absent: a file may keep `server:` with all its lines commented out."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or not cls._is_section(key)}

    @classmethod
    def _is_section(cls, key: object) -> bool:
        field = cls.model_fields.get(key) if isinstance(key, str) else None
        return field is not None and section_in(field) is not None


def section_in(field: FieldInfo) -> type[Section] | None:
    """Finds the section that a field holds: itself, or none, or a tuple of them."""
    return next((each for each in _types(field.annotation) if isinstance(each, type) and issubclass(each, Section)), None)


def _types(annotation: object) -> Iterator[object]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def keys_of(section: type[Section]) -> tuple[str, ...]:
    """Lists the keys that a file may give in a section."""
    fields = (name for name in section.model_fields if name not in section.derived_fields)
    return (*fields, *section.input_keys)
