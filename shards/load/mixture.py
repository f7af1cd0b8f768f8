"""Datasets by weights: what a file of `configs/mixes` says, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from shards.errors import LoadError
from shards.load.reading.split import EVERYTHING, Selection, Split
from shards.load.sampling.mix import LONGEST, AtEnd, GroupedPlan, MixturePlan
from shards.load.sampling.plan import SampleOrder, SamplePlan
from shards.random import key_of

_LEAF = {"weight", "split", "expand", "question", "task"}
_TOP = {"mix", "batches_of_one_group", "at_end", "epoch_steps", "epoch_samples"}


@dataclass(frozen=True, slots=True)
class MixtureDataset:
    """One dataset of a mixture.

    Attributes:
        name: where it stands in the file, such as `segmentation/refcoco`.
        where: folder or URL of its split.
        share: of its group's samples; of all samples, where there are no groups.
        group: number of the group that it is in.
        chosen: which of its samples, and what of them.
        task: what is asked of them, for whoever makes the examples; "" is what is usual.
    """

    name: str
    where: str
    share: Fraction
    group: int = 0
    chosen: Selection = EVERYTHING
    task: str = ""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Datasets in exact shares.

    Attributes:
        members: the datasets.
        groups: shares of groups, where every batch is of one group; none where all are mixed.
        at_end: of a dataset: it begins anew in another order, or the epoch ends.
        epoch_steps: batches of an epoch, where it is counted in these.
        epoch_samples: samples of an epoch over all ranks, where it is counted in these. If neither
            is given, as many as all datasets have.
    """

    members: Sequence[MixtureDataset]
    groups: Sequence[Fraction] = ()
    at_end: AtEnd = "restart"
    epoch_steps: int | None = None
    epoch_samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            LoadError: naming the field.
        """
        if self.epoch_steps is not None and self.epoch_samples is not None:
            raise LoadError("an epoch is counted in epoch_steps or in epoch_samples, not in both")
        for name in ("epoch_steps", "epoch_samples"):
            found = getattr(self, name)
            if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
                raise LoadError(f"{name} is {found!r}; expected a whole number")
        if self.at_end not in ("restart", "stop"):
            raise LoadError(f"at_end is {self.at_end!r}; expected 'restart' or 'stop'")
        if self.at_end == "stop" and self.groups:
            raise LoadError("batches of one group each have no end: expected at_end: restart")

    @classmethod
    def read(cls, file: str | Path, root: str | Path) -> Self:
        """A mixture from a YAML file.

        Args:
            file: its path, or the name of one in `configs/mixes`, such as `finetune`.
            root: folder or URL of the shards: `root/<source>/<split>`.

        Raises:
            LoadError: naming file and place of everything that is not understood.
        """
        import yaml

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
            LoadError: naming the place of what is not understood.
        """
        if not _is_map(values) or not _is_map(values.get("mix")):
            raise LoadError("expected `mix:` and below it names with weights")
        more = {name: value for name, value in values.items() if name != "mix"}
        _refuse_unknown(more, _TOP, "")
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
        return [Split.open(member.where, member.chosen) for member in self.members]

    def plan(self, splits: Sequence[Split], order: SampleOrder) -> SamplePlan:
        """The order of a mixture whose splits are open.

        Raises:
            LoadError: naming a split that has nothing to give.
        """
        for split in splits:
            if not len(split):
                raise LoadError(f"{split.files.where}: no sample for {split.chosen}")
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


def _is_map(found: object) -> bool:
    return isinstance(found, Mapping)


def _members(
    entries: Mapping[str, Any], root: str | Path, group: int, share: Fraction, where: str
) -> list[MixtureDataset]:
    """The datasets below a name, by their share of the whole."""
    weights = {name: _weight(entry, f"{where}{name}") for name, entry in entries.items()}
    whole = sum(weights.values(), Fraction(0))
    found: list[MixtureDataset] = []
    for name, entry in entries.items():
        own = share * weights[name] / whole
        here = f"{where}{name}"
        if isinstance(entry, Mapping) and "of" in entry:
            _refuse_unknown(entry, {"weight", "of"}, f"{here}: ")
            if not isinstance(entry["of"], Mapping) or not entry["of"]:
                raise LoadError(f"{here}: expected names with weights below `of:`")
            found += _members(entry["of"], root, group, own, f"{here}/")
            continue
        said = entry if isinstance(entry, Mapping) else {}
        _refuse_unknown(said, _LEAF, f"{here}: ")
        chosen = Selection(said.get("question", ""), said.get("expand", ""))
        folder = f"{str(root).rstrip('/')}/{name}/{said.get('split', 'train')}"
        found.append(MixtureDataset(here, folder, own, group, chosen, said.get("task", "")))
    return found


def _weight(entry: object, where: str) -> Fraction:
    given = entry.get("weight") if isinstance(entry, Mapping) else entry
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < LONGEST:
        raise LoadError(f"{where}: expected a weight above 0, found {given!r}")
    return Fraction(str(given))


def _refuse_unknown(found: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(str(name) for name in set(found) - known)
    if unknown:
        raise LoadError(f"{where}unknown {', '.join(unknown)}; expected {', '.join(sorted(known))}")
