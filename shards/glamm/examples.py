"""Samples to training examples: what a loader calls for each sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from shards.classes import CLASSES, ClassInfo, read_classes
from shards.errors import LoadError
from shards.glamm.captions import plan_caption, plan_conversation
from shards.glamm.conversation import render
from shards.glamm.example import Example, to_tuple
from shards.glamm.pixels import (
    InputDtype,
    blank_labels,
    class_masks,
    clip_input,
    mask_array,
    open_photo,
    relative_boxes,
    sam_input,
    widen_labels,
)
from shards.glamm.plan import ExamplePlan, ExampleRequest
from shards.glamm.prompts import WORDING, Prompts
from shards.glamm.regions import plan_expression, plan_regions, plan_sentence
from shards.glamm.segmentation import plan_grounded, plan_labels, plan_parts, plan_referring
from shards.glamm.settings import Settings
from shards.glamm.sources import FAMILIES, ITEM_COLUMNS, SOURCES, ExampleTask, Family
from shards.load.loader import Data
from shards.load.mixture import Mixture
from shards.load.reading.split import Selection, Split
from shards.pixels import decode_labels
from shards.random import Rng
from shards.sample import Sample

DEFAULTS = Settings()
_PLANNERS: Mapping[ExampleTask, Callable[[Sample, Rng, ExampleRequest], ExamplePlan]] = {
    "grounded": plan_grounded,
    "referring": plan_referring,
    "labels": plan_labels,
    "parts": plan_parts,
    "expression": plan_expression,
    "regions": plan_regions,
    "sentence": plan_sentence,
    "caption": plan_caption,
    "conversation": plan_conversation,
}


@dataclass(frozen=True, slots=True)
class Examples:
    """Makes the training examples of one source. Can be pickled and sent to other processes.

    Attributes:
        source: a key of `SOURCES`; any other name needs a task.
        settings: of the run.
        prompts: around the source's own text.
        classes: of its label maps, if it has any.
        task: instead of the source's usual one, such as `regions` for `grand_referring`.
        expand: the column that the loader expands the source over, if any. The loader then passes
            the index of the caption, phrase or conversation.
    """

    source: str
    settings: Settings = DEFAULTS
    prompts: Prompts = WORDING
    classes: tuple[ClassInfo, ...] = ()
    task: ExampleTask | None = None
    expand: str = ""
    _class_names: Mapping[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the source, task and classes.

        Raises:
            LoadError: if there is no such source or task, or classes are missing.
        """
        if self.source not in SOURCES and self.task is None:
            raise LoadError(
                f"no source {self.source!r}; expected one of {', '.join(SOURCES)}, or a task for it"
            )
        task = self.effective_task
        if task not in ITEM_COLUMNS:
            raise LoadError(f"no task {task!r}; expected one of {', '.join(ITEM_COLUMNS)}")
        column = ITEM_COLUMNS[task]
        if self.expand not in ("", column):
            raise LoadError(
                f"{self.source}: expand is {self.expand!r}; the task {task!r} can be expanded over "
                + (f"{column!r} only" if column else "nothing")
            )
        if task == "labels" and not self.classes:
            raise LoadError(
                f"{self.source}: the task 'labels' needs classes; pass those of its classes.json"
            )
        skipped = set(self.settings.skip_flags)
        names = {
            info.id: info.name.lower() for info in self.classes if skipped.isdisjoint(info.flags)
        }
        object.__setattr__(self, "_class_names", names)

    @property
    def effective_task(self) -> ExampleTask:
        """The task given, or the source's usual one."""
        return self.task or SOURCES[self.source].task

    @property
    def family(self) -> Family:
        """Which of the reference's three loaders has this task; a batch holds one family."""
        return FAMILIES[self.effective_task]

    def __call__(self, sample: Sample, seed: int, item_index: int | None = None) -> tuple[Any, ...]:
        """An example as the tuple of tensors that the reference's `custom_collate_fn` takes.

        This is what a loader calls. Needs torch. Without `expand`, `item_index` is ignored.

        Raises:
            DecodeError: as `example`.
            ExampleError: as `example`.
        """
        example = self.example(sample, seed, item_index if self.expand else None)
        return to_tuple(example, self.settings.precision)

    def example(self, sample: Sample, seed: int, item_index: int | None = None) -> Example:
        """An example in numpy.

        Args:
            sample: of this source.
            seed: 64 bits that determine every random choice.
            item_index: of the caption, phrase or conversation that the example is about, as the
                sample index counts them; None draws one.

        Raises:
            DecodeError: if the sample's photo, label map or a mask is damaged.
            ExampleError: if the sample is sound but has no such example; names the sample and why.
            LoadError: if `item_index` is given for a task that is not about one item.
        """
        plan = self.plan(sample, seed, item_index)
        text = render(plan.exchanges)
        photo, size, options = open_photo(sample), sample.image.size, self.settings
        dtype: InputDtype = "uint16" if options.precision == "bf16" else "float32"
        clip = clip_input(photo, options.clip_side, sample.original_size, dtype)
        sam, resized, masks, labels = None, None, None, None
        has_masks = plan.masks is not None or plan.labels is not None
        if options.grounding == "always" or (options.grounding == "task" and has_masks):
            sam, resized = sam_input(photo, options.sam_side, dtype)
            if plan.labels is not None:
                label_map = decode_labels(sample)
                masks, labels = class_masks(label_map, plan.labels), widen_labels(label_map)
            else:
                masks, labels = mask_array(sample, plan.masks or ()), blank_labels(size)
        return Example(
            key=sample.key,
            clip=clip,
            sam=sam,
            boxes=None if plan.boxes is None else relative_boxes(plan.boxes, size),
            conversation=text,
            masks=masks,
            labels=labels,
            resized=resized,
            questions=(text,) if plan.questions is None else plan.questions,
            names=(text,) if plan.names is None else plan.names,
        )

    def plan(self, sample: Sample, seed: int, item_index: int | None = None) -> ExamplePlan:
        """The text and annotations of an example, decided without decoding any pixel.

        Raises:
            ExampleError: if the sample has no such example; names the sample and why.
            LoadError: if `item_index` is given for a task that is not about one item.
        """
        task = self.effective_task
        if item_index is not None and ITEM_COLUMNS[task] is None:
            raise LoadError(
                f"{sample.key}: item_index is {item_index}; the task {task!r} is not about one "
                f"item: expected None"
            )
        rule = SOURCES.get(self.source)
        request = ExampleRequest(
            self.settings,
            self.prompts,
            self._class_names,
            item_index,
            lowercase=rule is not None and rule.lowercase,
        )
        return _PLANNERS[task](sample, Rng(seed), request)


def examples_for(
    data: Data, settings: Settings = DEFAULTS, prompts: Prompts = WORDING, *, expand: str = ""
) -> list[Examples]:
    """An `Examples` for each dataset of the data, in order: the `example` argument of a loader.

    Args:
        data: the same that the loader is given.
        settings: of the run.
        prompts: around the sources' own text.
        expand: the same that the loader is given; the datasets of a mixture have their own.

    Raises:
        CorruptShardError: if a manifest or an index is missing or damaged.
        LoadError: if a source is unknown, or expanded over a column that its task does not use.
    """
    if isinstance(data, Mixture):
        splits, tasks = data.open(), [member.task for member in data.members]
    else:
        splits = [data if isinstance(data, Split) else Split.open(data, Selection(expand=expand))]
        tasks = [""]
    return [
        Examples(
            split.manifest.source,
            settings,
            prompts,
            _classes(split),
            task=cast("ExampleTask", task) if task else None,
            expand=split.selection.expand,
        )
        for split, task in zip(splits, tasks, strict=True)
    ]


def _classes(split: Split) -> tuple[ClassInfo, ...]:
    if CLASSES not in split.manifest.files:
        return ()
    return tuple(read_classes(split.files.path(CLASSES).parent))
