"""LLaVA-Instruct: up to three conversations about a photo, in words alone."""

from convert.demo.files.coco import TRAIN_2017
from convert.demo.files.files import write_json
from convert.demo.scene.studies import MENDED, Brief, Study, plan_studies
from convert.demo.truth import TrueReject, TrueSample, Truth
from convert.demo.words.tell import write_captions
from convert.demo.words.words import describe, listed, plural, spell

_FILE = "llava_dataset/llava_instruct_150k.json"
_FIRST = 33_471
_ERRORS = {
    "missing": "ImageMissingError",
    "truncated": "ImageDecodeError",
    "web page": "ImageDecodeError",
}
_Talk = tuple[tuple[str, str], ...]


def draw_llava_instruct(brief: Brief) -> Truth:
    """One file; records of one photo have one id and do not stand together."""
    records: list[tuple[int, dict[str, object]]] = []
    samples, rejects = [], []
    defects = (*_ERRORS, *MENDED, "answer without a question")
    for study in plan_studies(brief, "coco", _FIRST, ("train",), defects):
        key = f"{study.number:012d}"
        photo = f"{TRAIN_2017}/{key}.jpg"
        study.save(brief.root / photo)
        talks = _converse(study)
        for number, talk in enumerate(talks):
            turns = [{"from": speaker, "value": text} for speaker, text in talk]
            named = {"id": key, "image": f"{key}.jpg"}
            records.append((number, {**named, "conversations": turns}))
        error = _ERRORS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            samples.append(TrueSample(key, "train", photo, study.size, conversations=talks))
    apart = [record for _, record in sorted(records, key=lambda entry: entry[0])]
    write_json(brief.root / _FILE, apart)
    return Truth("llava_instruct", tuple(samples), tuple(rejects))


def _converse(study: Study) -> tuple[_Talk, ...]:
    """One to three of: a conversation, a detailed description, an answer that takes thought."""
    talks = (_conversation(study), _description(study), _reasoning(study))
    if study.defect == "answer without a question":
        return (talks[0][1:], *talks[1:])
    return talks[: 3 - study.number % 3]


def _conversation(study: Study) -> _Talk:
    things = study.scene.things
    pairs = [
        ("How many things are there?", f"There are {spell(len(things))} things."),
        *(
            (f'What colour is "{describe(study.scene, thing)[-1]}"?', f"It is {thing.colour}.")
            for thing in things[:3]
        ),
    ]
    turns = [turn for ask, answer in pairs for turn in (("human", ask), ("gpt", answer))]
    return (_with_photo(turns[0][1], first=study.number % 2 == 0), *turns[1:])


def _description(study: Study) -> _Talk:
    told = "\n\n".join(text.strip() for text in write_captions(study.scene, study.words))
    ask = "Describe the following image."
    return _with_photo(ask, first=study.number % 2 == 1), ("gpt", told)


def _reasoning(study: Study) -> _Talk:
    kinds = listed([plural(kind) for kind in sorted({t.kind for t in study.scene.things})])
    answer = f"There are {kinds} - and nobody. It is caf\u00e9-like\u2026 but still. "
    return _with_photo("Is anybody here?", first=True), ("gpt", answer)


def _with_photo(ask: str, *, first: bool) -> tuple[str, str]:
    return "human", f"<image>\n{ask}" if first else f"{ask}\n<image>"
