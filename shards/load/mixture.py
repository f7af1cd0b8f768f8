"""Several datasets by weights: a file of `configs/mixes` as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from shards.errors import LoadError, MissingExtraError
from shards.load.reading.split import EVERYTHING, Selection, Split
from shards.load.sampling.mix import LONGEST, AtEnd, GroupedPlan, MixturePlan
from shards.load.sampling.plan import SampleOrder, SamplePlan
from shards.random import key_of

_DATASET_KEYS = {"weight", "split", "expand", "where", "task"}
_TOP_KEYS = {"mix", "batches_of_one_group", "at_end", "epoch_steps", "epoch_samples"}


@dataclass(frozen=True, slots=True)
class MixtureDataset:
    """One dataset of a mixture.

    Attributes:
        name: its path in the file, such as `segmentation/refcoco`.
        location: folder or URL of its split.
        share: of its group's samples; without groups, of all samples.
        group: index of its group.
        selection: which of its samples, and how often each.
        task: for the example function: what to make of its samples; "" is the usual task.
    """

    name: str
    location: str
    share: Fraction
    group: int = 0
    selection: Selection = EVERYTHING
    task: str = ""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Datasets in exact shares.

    Attributes:
        members: the datasets.
        groups: shares of groups, if every batch is of one group; empty if all are mixed.
        at_end: when a dataset ends, `restart` it in another order, or `stop` the epoch.
        epoch_steps: length of an epoch in batches.
        epoch_samples: length of an epoch in samples over all ranks. Without either length, an epoch
            has as many samples as all datasets together.

    >>> mixture = Mixture.of({"mix": {"refcoco": 3, "ade20k": 1}}, "OUT")
    >>> [(member.location, str(member.share)) for member in mixture.members]
    [('OUT/refcoco/train', '3/4'), ('OUT/ade20k/train', '1/4')]
    """

    members: Sequence[MixtureDataset]
    groups: Sequence[Fraction] = ()
    at_end: AtEnd = "restart"
    epoch_steps: int | None = None
    epoch_samples: int | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            LoadError: naming the field that is wrong.
        """
        if self.epoch_steps is not None and self.epoch_samples is not None:
            raise LoadError(
                "epoch_steps and epoch_samples both set the length of an epoch; leave one out"
            )
        for name in ("epoch_steps", "epoch_samples"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise LoadError(f"{name} is {value!r}; expected a whole number")
        if self.at_end not in ("restart", "stop"):
            raise LoadError(f"at_end is {self.at_end!r}; expected 'restart' or 'stop'")
        if self.at_end == "stop" and self.groups:
            raise LoadError(
                "at_end: stop and batches_of_one_group contradict each other; expected at_end: "
                "restart"
            )

    @classmethod
    def read(cls, file: str | Path, root: str | Path) -> Self:
        """A mixture from a YAML file.

        Args:
            file: its path, or the name of one in `configs/mixes`, such as `finetune`.
            root: folder or URL of the shards: `root/<source>/<split>`.

        Raises:
            LoadError: naming the file and the key that is wrong.
            MissingExtraError: if pyyaml is not installed.
        """
        try:
            import yaml
        except ImportError as error:
            raise MissingExtraError(
                f"{file}: reading a mixture file needs pyyaml: pip install 'glamm-shards[load]'"
            ) from error

        file = shipped_mixes().get(str(file), file)
        try:
            values = yaml.safe_load(Path(file).read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LoadError(f"{file}: {error}") from error
        try:
            return cls.of(values, root)
        except LoadError as error:
            raise LoadError(f"{file}: {error}") from error

    @classmethod
    def of(cls, values: Mapping[str, Any], root: str | Path) -> Self:
        """A mixture from the values of such a file.

        Raises:
            LoadError: naming the key that is wrong.
        """
        if not _is_map(values) or not _is_map(values.get("mix")):
            raise LoadError("expected `mix:` with names and weights below it")
        more = {name: value for name, value in values.items() if name != "mix"}
        _refuse_unknown(more, _TOP_KEYS, "")
        by_group = more.pop("batches_of_one_group", False)
        members: list[MixtureDataset] = []
        groups: list[Fraction] = []
        if by_group:
            for number, (name, entry) in enumerate(values["mix"].items()):
                groups.append(_weight(entry, name))
                members += _members({name: entry}, root, number, Fraction(1), "")
        else:
            members = _members(values["mix"], root, 0, Fraction(1), "")
        return cls(tuple(members), tuple(groups), **more)

    def open(self) -> list[Split]:
        """The splits of the members, in order."""
        return [Split.open(member.location, member.selection) for member in self.members]

    def plan(self, splits: Sequence[Split], order: SampleOrder) -> SamplePlan:
        """The plan of the mixture.

        Args:
            splits: of the members, in order.
            order: how the samples of each are ordered.

        Raises:
            LoadError: naming a split without a sample for its selection.
        """
        for split in splits:
            if not len(split):
                raise LoadError(f"{split.files.location}: no sample for {split.selection}")
        sizes = [split.sizes for split in splits]
        steps = self.epoch_steps
        if self.epoch_samples is not None:
            steps = self.epoch_samples // order.batch
        if not self.groups:
            shares = [member.share for member in self.members]
            return MixturePlan(sizes, shares, order, epoch_batches=steps, at_end=self.at_end)
        plans, counts = [], []
        for number in range(len(self.groups)):
            own = [n for n, member in enumerate(self.members) if member.group == number]
            shares = [self.members[n].share for n in own]
            group = replace(order, seed=key_of(order.seed, 2, number))
            plans.append(MixturePlan([sizes[n] for n in own], shares, group, epoch_batches=1))
            counts.append(len(own))
        whole = sum(int(each.sum()) for each in sizes) // order.batch
        return GroupedPlan(plans, counts, self.groups, whole if steps is None else steps)


def shipped_mixes() -> dict[str, Path]:
    """Name -> file of every mixture of the installed package, or of the checkout."""
    package = Path(__file__).parent.parent
    candidates = (package / "mixes", package.parent / "configs" / "mixes")
    folder = next((each for each in candidates if each.is_dir()), candidates[-1])
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _members(
    entries: Mapping[str, Any], root: str | Path, group: int, share: Fraction, prefix: str
) -> list[MixtureDataset]:
    """The datasets below a name, with their shares of the whole."""
    weights = {name: _weight(entry, f"{prefix}{name}") for name, entry in entries.items()}
    whole = sum(weights.values(), Fraction(0))
    members: list[MixtureDataset] = []
    for name, entry in entries.items():
        own = share * weights[name] / whole
        here = f"{prefix}{name}"
        if isinstance(entry, Mapping) and "of" in entry:
            _refuse_unknown(entry, {"weight", "of"}, f"{here}: ")
            if not isinstance(entry["of"], Mapping) or not entry["of"]:
                raise LoadError(f"{here}: expected names with weights below `of:`")
            members += _members(entry["of"], root, group, own, f"{here}/")
            continue
        settings = entry if isinstance(entry, Mapping) else {}
        _refuse_unknown(settings, _DATASET_KEYS, f"{here}: ")
        selection = Selection(settings.get("where", ""), settings.get("expand", ""))
        location = f"{str(root).rstrip('/')}/{name}/{settings.get('split', 'train')}"
        task = settings.get("task", "")
        members.append(MixtureDataset(here, location, own, group, selection, task))
    return members


def _weight(entry: object, name: str) -> Fraction:
    weight = entry.get("weight") if isinstance(entry, Mapping) else entry
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < LONGEST:
        raise LoadError(f"{name}: expected a weight above 0, found {weight!r}")
    return Fraction(str(weight))


def _refuse_unknown(settings: Mapping[str, Any], known: set[str], prefix: str) -> None:
    unknown = sorted(str(name) for name in set(settings) - known)
    if unknown:
        raise LoadError(
            f"{prefix}unknown {', '.join(unknown)}; expected {', '.join(sorted(known))}"
        )
