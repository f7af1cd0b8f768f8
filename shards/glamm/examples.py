"""Samples to examples: the one thing that a loader calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shards.classes import ClassInfo
from shards.errors import LoadError
from shards.glamm.annotations import (
    blank_labels,
    masks_of_labels,
    share_boxes,
    take_masks,
    widen_labels,
)
from shards.glamm.chance import Rng
from shards.glamm.conversation import render
from shards.glamm.draft import ExamplePlan
from shards.glamm.drafting import ExampleRequest, draft_example
from shards.glamm.example import Example
from shards.glamm.pixels import Kind, clip_input, open_photo, sam_input
from shards.glamm.prompts import Prompts
from shards.glamm.settings import Settings
from shards.glamm.sources import COUNTED, FAMILIES, SOURCES, Family, Task
from shards.glamm.wording import WORDING
from shards.pixels import decode_labels
from shards.sample import Sample

DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one source: a value, which may go to other processes.

    Attributes:
        source: a name of `SOURCES`; any name, where a task is given.
        settings: of the run.
        prompts: what is said around the data.
        classes: of its label maps, where it has such.
        task: another one than the source's own, such as `regions` for `grand_referring`.
        expand: the column that the loader expands the source over, if any: then it says which
            caption or phrase a call is about.
    """

    source: str
    settings: Settings = DEFAULTS
    prompts: Prompts = WORDING
    classes: tuple[ClassInfo, ...] = ()
    task: Task | None = None
    expand: str = ""
    _names: Mapping[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            LoadError: if there is no such source or task, or classes are missing.
        """
        if self.source not in SOURCES and self.task is None:
            raise LoadError(
                f"no source {self.source!r}; there are {', '.join(SOURCES)}, and others need a task"
            )
        if self.does not in COUNTED:
            raise LoadError(f"no task {self.does!r}; there are {', '.join(COUNTED)}")
        if self.expand not in ("", COUNTED[self.does]):
            raise LoadError(
                f"{self.source} is expanded over {self.expand}; of the task {self.does} there are "
                f"as many as {COUNTED[self.does] or 'photos'}"
            )
        if self.does == "labels" and not self.classes:
            raise LoadError(f"{self.source}: has label maps; give the classes of its classes.json")
        skipped = set(self.settings.skipped)
        names = {
            info.id: info.name.lower() for info in self.classes if skipped.isdisjoint(info.flags)
        }
        object.__setattr__(self, "_names", names)

    @property
    def does(self) -> Task:
        """The task."""
        return self.task or SOURCES[self.source].task

    @property
    def family(self) -> Family:
        """Of the reference's three loaders; a batch holds examples of one."""
        return FAMILIES[self.does]

    def __call__(self, sample: Sample, seed: int, which: int | None = None) -> tuple[Any, ...]:
        """What a loader calls: the tuple that the reference's `custom_collate_fn` takes.

        Needs torch. Without `expand`, `which` is not asked for, whatever it is.

        Raises:
            ExampleError: as `example` does.
        """
        from shards.glamm.tensors import to_tuple

        asked = which if self.expand else None
        return to_tuple(self.example(sample, seed, asked), self.settings.precision)

    def example(self, sample: Sample, seed: int, which: int | None = None) -> Example:
        """The same in numpy.

        Args:
            sample: of this source.
            seed: 64 bits that decide everything left to chance.
            which: number of the caption, phrase or conversation that the example is about, as the
                sample index counts them; None leaves it to chance.

        Raises:
            ExampleError: if this sample cannot make one, naming it and why.
            LoadError: if `which` is given where nothing is counted.
        """
        draft = self.draft(sample, seed, which)
        text = render(draft.turns)
        photo = open_photo(sample)
        set_ = self.settings
        kind: Kind = "uint16" if set_.precision == "bf16" else "float32"
        clip = clip_input(photo, set_.clip_side, sample.original_size, kind)
        sam, resized, masks, labels = None, None, None, None
        size = sample.image.size
        wanted = draft.masks is not None or draft.labels is not None
        if set_.grounding == "always" or (set_.grounding == "task" and wanted):
            sam, resized = sam_input(photo, set_.sam_side, kind)
            labels = blank_labels(size)
            if draft.labels is not None:
                found = decode_labels(sample)
                masks, labels = masks_of_labels(found, draft.labels), widen_labels(found)
            else:
                masks = take_masks(draft.masks or (), sample)
        return Example(
            key=sample.key,
            clip=clip,
            sam=sam,
            boxes=None if draft.boxes is None else share_boxes(draft.boxes, size),
            conversation=text,
            masks=masks,
            labels=labels,
            resized=resized,
            questions=(text,) if draft.questions is None else draft.questions,
            names=(text,) if draft.names is None else draft.names,
        )

    def draft(self, sample: Sample, seed: int, which: int | None = None) -> ExamplePlan:
        """What is chosen for it, before any pixel is touched.

        Raises:
            ExampleError: as `example` does, of what is no matter of pixels.
            LoadError: as `example` does.
        """
        if which is not None and COUNTED[self.does] is None:
            raise LoadError(f"{sample.key}: {which} was asked for, but {self.does} counts nothing")
        rule = SOURCES.get(self.source)
        lowered = rule is not None and rule.lowered
        asked = ExampleRequest(
            self.does, self.settings, self.prompts, self._names, which, lowered=lowered
        )
        return draft_example(sample, Rng(seed), asked)
