"""LLaVA-Instruct: up to three conversations about a photo."""

from convert.demo.files.coco import TRAIN_2017
from convert.demo.files.write import write_json
from convert.demo.scene.photos import REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueReject, TrueSample, Truth
from convert.demo.words.captions import write_captions
from convert.demo.words.names import describe, listed, plural, spell

_FILE = "llava_dataset/llava_instruct_150k.json"
_FIRST = 33_471
_ERRORS = {
    "missing": "ImageMissingError",
    "truncated": "ImageDecodeError",
    "web page": "ImageDecodeError",
}
_Talk = tuple[tuple[str, str], ...]


def draw_llava_instruct(options: DrawOptions) -> Truth:
    """Draw one file. Records of one photo have the same id but are not adjacent."""
    records: list[tuple[int, dict[str, object]]] = []
    samples, rejects = [], []
    defects = (*_ERRORS, *REPAIRABLE, "answer without a question")
    for drawn in plan_photos(options, "coco", _FIRST, ("train",), defects):
        key = f"{drawn.number:012d}"
        photo = f"{TRAIN_2017}/{key}.jpg"
        drawn.save(options.root / photo)
        talks = _converse(drawn)
        for number, talk in enumerate(talks):
            turns = [{"from": speaker, "value": text} for speaker, text in talk]
            named = {"id": key, "image": f"{key}.jpg"}
            records.append((number, {**named, "conversations": turns}))
        error = _ERRORS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            samples.append(TrueSample(key, "train", photo, drawn.size, conversations=talks))
    apart = [record for _, record in sorted(records, key=lambda entry: entry[0])]
    write_json(options.root / _FILE, apart)
    return Truth("llava_instruct", tuple(samples), tuple(rejects))


def _converse(drawn: DrawnPhoto) -> tuple[_Talk, ...]:
    """Up to three of: a conversation, a description, a reasoning question."""
    talks = (_conversation(drawn), _description(drawn), _reasoning(drawn))
    if drawn.defect == "answer without a question":
        return (talks[0][1:], *talks[1:])
    return talks[: 3 - drawn.number % 3]


def _conversation(drawn: DrawnPhoto) -> _Talk:
    things = drawn.scene.things
    pairs = [
        ("How many things are there?", f"There are {spell(len(things))} things."),
        *(
            (f'What colour is "{describe(drawn.scene, thing)[-1]}"?', f"It is {thing.colour}.")
            for thing in things[:3]
        ),
    ]
    turns = [turn for ask, answer in pairs for turn in (("human", ask), ("gpt", answer))]
    return (_with_photo(turns[0][1], first=drawn.number % 2 == 0), *turns[1:])


def _description(drawn: DrawnPhoto) -> _Talk:
    description = "\n\n".join(text.strip() for text in write_captions(drawn.scene, drawn.text_rng))
    ask = "Describe the following image."
    return _with_photo(ask, first=drawn.number % 2 == 1), ("gpt", description)


def _reasoning(drawn: DrawnPhoto) -> _Talk:
    kinds = listed([plural(kind) for kind in sorted({t.kind for t in drawn.scene.things})])
    answer = f"There are {kinds} - and nobody. It is caf\u00e9-like\u2026 but still. "
    return _with_photo("Is anybody here?", first=True), ("gpt", answer)


def _with_photo(ask: str, *, first: bool) -> tuple[str, str]:
    return "human", f"<image>\n{ask}" if first else f"{ask}\n<image>"
