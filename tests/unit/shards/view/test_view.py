import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shards.classes import ClassInfo
from shards.errors import CorruptShardError, DecodeError
from shards.manifest import Tally, build_manifest, encode_json
from shards.pixels import encode_mask
from shards.sample import (
    Box,
    EncodedImage,
    LabelMap,
    Region,
    Rle,
    Sample,
    Size,
    Span,
    Turn,
)
from shards.view import text_layout, texts
from shards.view.__main__ import main
from shards.view.colours import BLACK, GREY, PALETTE, choose_colours, colour_of, contrast_to_white
from shards.view.photo import WIDTH
from shards.view.samples import ViewError, open_sample_set, select_by_key, select_positions
from shards.view.sheet import draw_sheet, draw_tile, write_sheet
from shards.view.text_layout import TextRun, to_glyphs, wrap
from shards.writer import ShardWriter

REPOSITORY = Path(__file__).parents[4]
GROUND = 128
SIDE = 60
"""A tile is seven times as wide as the photos here."""
SCALE = WIDTH // SIDE


def encode_png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def make_sample(key="drawn-1", *, height=SIDE, width=SIDE, **fields) -> Sample:
    size = Size(height, width)
    photo = np.full((height, width, 3), GROUND, np.uint8)
    image = EncodedImage(encode_png(photo), "png", size)
    return Sample(**{"key": key, "image": image, "original_size": size, **fields})


def make_mask(*corners, height=SIDE, width=SIDE) -> Rle:
    x0, y0, x1, y1 = corners
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def write_split(folder, samples, *, per_shard=4, classes=()):
    folder.mkdir(parents=True, exist_ok=True)
    infos = []
    for start in range(0, len(samples), per_shard):
        part = samples[start : start + per_shard]
        with ShardWriter(folder, f"drawn-train-{start // per_shard:06d}") as writer:
            for sample in part:
                writer.add(sample)
            infos.append(writer.commit(task="", tally=Tally(items=len(part))))
    if classes:
        (folder / "classes.json").write_bytes(encode_json(classes))
    (folder / "manifest.json").write_bytes(
        encode_json(build_manifest("drawn", "train", "", {}, infos))
    )
    return folder


def tint(colour) -> tuple[int, ...]:
    return tuple(int(np.rint(GROUND + 0.45 * (channel - GROUND))) for channel in colour)


def has_colour(tile, colour) -> bool:
    return bool((np.asarray(tile) == np.array(colour)).all(axis=-1).any())


def texts_of(tile):
    return tile.crop((0, SIDE * SCALE, tile.width, tile.height))


def view(path, **options) -> int:
    """The exit status of the command."""
    line = [str(path)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return main(line)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    samples = [make_sample(f"drawn-{number}") for number in range(10)]
    return write_split(tmp_path_factory.mktemp("out") / "drawn" / "train", samples)


class TestMasks:
    def test_a_mask_is_tinted_within_and_lined_and_nothing_beyond_changes(self):
        region = Region(phrases=("a thing",), mask=make_mask(10, 20, 30, 40))
        tile = np.asarray(draw_tile(make_sample(regions=(region,)), {}))
        photo = tile[: SIDE * SCALE]
        inner = photo[20 * SCALE + 2 : 40 * SCALE - 2, 10 * SCALE + 2 : 30 * SCALE - 2]
        assert (inner == tint(PALETTE[0])).all()
        assert (photo[20 * SCALE : 20 * SCALE + 2, 10 * SCALE : 30 * SCALE] == PALETTE[0]).all()
        outer = photo.copy()
        outer[20 * SCALE - 1 : 40 * SCALE + 1, 10 * SCALE - 1 : 30 * SCALE + 1] = GROUND
        assert (outer == GROUND).all()

    def test_a_mask_follows_a_photo_that_is_reduced_and_centred(self):
        height, width = 900, 300
        region = Region(mask=make_mask(0, 300, 150, 600, height=height, width=width))
        tile = draw_tile(make_sample(height=height, width=width, regions=(region,)), {})
        left = (WIDTH - 140) // 2
        assert tile.getpixel((left - 1, 210)) == (255, 255, 255)
        assert tile.getpixel((left + 35, 210)) == tint(PALETTE[0])
        assert tile.getpixel((left + 105, 210)) == (GROUND,) * 3
        assert tile.getpixel((left + 35, 130)) == (GROUND,) * 3
        assert tile.getpixel((left + 35, 290)) == (GROUND,) * 3

    def test_a_single_pixel_of_a_big_photo_is_seen(self):
        mask = make_mask(7, 7, 8, 8, height=2000, width=2000)
        tile = draw_tile(make_sample(height=2000, width=2000, regions=(Region(mask=mask),)), {})
        assert has_colour(tile.crop((0, 0, 10, 10)), PALETTE[0])

    def test_small_masks_lie_on_big_ones_whatever_their_order(self):
        small = Region(mask=make_mask(20, 20, 30, 30))
        big = Region(mask=make_mask(0, 0, 60, 60))
        for regions, rank in (((small, big), 0), ((big, small), 1)):
            tile = draw_tile(make_sample(regions=regions), {})
            assert tile.getpixel((20 * SCALE, 25 * SCALE)) == PALETTE[rank]

    def test_a_broken_mask_is_named(self):
        region = Region(mask=Rle(Size(SIDE, SIDE), b"1"))
        with pytest.raises(DecodeError, match=r"drawn-1\.mp: region 0: "):
            draw_tile(make_sample(regions=(region,)), {})

    def test_a_box_is_a_frame_on_its_outermost_pixels(self):
        region = Region(box=Box(10, 20, 30, 40))
        tile = draw_tile(make_sample(regions=(region,)), {})
        for x, y in ((70, 140), (209, 140), (70, 279), (209, 279)):
            assert tile.getpixel((x, y)) == PALETTE[0]
        assert tile.getpixel((140, 210)) == (GROUND,) * 3

    @pytest.mark.parametrize("box", [Box(60, 60, 60, 60), Box(0, 0, 60, 60), Box(5, 5, 5.2, 5.2)])
    def test_boxes_at_the_border_and_without_area_are_drawn(self, box):
        assert has_colour(draw_tile(make_sample(regions=(Region(box=box),)), {}), PALETTE[0])


class TestLabels:
    def make(self, labels, **fields) -> Sample:
        return make_sample(labels=LabelMap(encode_png(labels), "table"), **fields)

    def test_classes_have_colours_by_area_and_ignored_pixels_none(self):
        labels = np.full((SIDE, SIDE), 255, np.uint8)
        labels[:20] = 7
        labels[20:50] = 3
        tile = draw_tile(self.make(labels), {3: "sea", 7: "sky"})
        assert tile.getpixel((200, 35 * SCALE)) == tint(PALETTE[0])
        assert tile.getpixel((200, 10 * SCALE)) == tint(PALETTE[1])
        assert tile.getpixel((200, 55 * SCALE)) == (GROUND,) * 3
        below = texts_of(tile)
        assert has_colour(below, PALETTE[0])
        assert has_colour(below, PALETTE[1])
        assert not has_colour(below, PALETTE[2])

    def test_class_0_is_a_class(self):
        tile = draw_tile(self.make(np.zeros((SIDE, SIDE), np.uint8)), {})
        assert tile.getpixel((200, 200)) == tint(PALETTE[0])

    def test_names_come_biggest_first_and_an_unknown_id_is_said(self):
        areas = {9: 0.5, 2: 0.25}
        paragraphs = list(texts.class_paragraphs(areas, dict.fromkeys(areas, GREY), {9: "wall"}))
        lines = ["".join(run.text for run in paragraph.runs) for paragraph in paragraphs]
        assert lines == ["wall 50.0%", "class 2 25.0%"]

    def test_regions_and_classes_of_one_photo_share_no_colour(self):
        labels = np.zeros((SIDE, SIDE), np.uint8)
        tile = draw_tile(self.make(labels, regions=(Region(box=Box(1, 1, 9, 9)),)), {})
        assert tile.getpixel((300, 300)) == tint(PALETTE[1])

    def test_a_map_of_another_mode_or_size_is_refused(self):
        with pytest.raises(DecodeError, match="found RGB"):
            draw_tile(self.make(np.zeros((SIDE, SIDE, 3), np.uint8)), {})
        with pytest.raises(DecodeError, match="is 9x9, its annotations say 60x60"):
            draw_tile(self.make(np.zeros((9, 9), np.uint8)), {})


class TestTexts:
    def lines(self, paragraphs):
        return ["".join(run.text for run in paragraph.runs) for paragraph in paragraphs]

    def test_grounded_words_have_the_colour_of_their_region(self):
        caption = "A dog on a naïve 中 mat"
        dog = Region(box=Box(0, 0, 1, 1), spans=(Span(0, 0, 5),))
        mat = Region(box=Box(0, 0, 1, 1), spans=(Span(0, 9, len(caption)),))
        inner = Region(spans=(Span(0, 19, 22),))
        sample = make_sample(captions=(caption,), regions=(inner, dog, mat))
        (paragraph,) = texts.caption_paragraphs(sample, choose_colours(sample.regions))
        assert [(run.text, run.colour) for run in paragraph.runs] == [
            ("A dog", PALETTE[0]),
            (" on ", BLACK),
            ("a naïve 中 ", PALETTE[1]),
            ("mat", GREY),
        ]

    def test_words_without_a_place_are_grey_and_take_no_colour(self):
        word, boxed = Region(phrases=("the mood",)), Region(box=Box(0, 0, 1, 1))
        assert choose_colours([word, boxed, word]) == [GREY, PALETTE[0], GREY]

    def test_phrases_category_and_what_is_left_out(self):
        box = Box(0, 0, 1, 1)
        regions = (
            Region(phrases=("a red car", "it"), box=box, category="car"),
            Region(phrases=("a carrot",), box=box, category="car"),
            Region(box=box, category="tree"),
            Region(box=box),
            Region(phrases=tuple("abcdefg"), box=box),
            Region(box=box, category="branch", parent=2, attributes=("green", "wet")),
            Region(phrases=("the branch of a tree",), box=box, category="branch", parent=2),
        )
        assert self.lines(texts.region_paragraphs(regions, choose_colours(regions))) == [
            "a red car; it",
            "a carrot (car)",
            "tree",
            "no words",
            "a; b; c; d; e + 2 more",
            "branch, part of tree, green, wet",
            "the branch of a tree",
        ]

    def test_sixty_regions_are_cut_in_words_but_all_drawn(self):
        regions = tuple(
            Region(phrases=(f"thing {n}",), box=Box(n, 0, n + 1, 60)) for n in range(SIDE)
        )
        colours = choose_colours(regions)
        assert len(set(colours)) == SIDE
        assert self.lines(texts.region_paragraphs(regions, colours))[-1] == "+ 48 more"
        assert has_colour(draw_tile(make_sample(regions=regions), {}), colours[-1])

    def test_every_colour_is_legible_on_white(self):
        assert min(contrast_to_white(colour_of(rank)) for rank in range(300)) >= 4.5

    def test_conversations_and_captions_are_cut(self):
        talk = tuple(Turn("human", str(number)) for number in range(5))
        sample = make_sample(conversations=(talk, talk, talk), captions=tuple("abcdefgh"))
        lines = self.lines(texts.conversation_paragraphs(sample))
        assert lines[3:5] == ["human: 3", "+ 1 more turn"]
        assert lines[-1] == "+ 1 more conversation"
        assert self.lines(texts.caption_paragraphs(sample, []))[-1] == "+ 3 more captions"

    def test_a_sample_without_anything_says_so(self):
        assert self.lines(texts.header_paragraphs(make_sample()))[-1] == "only the photo"
        draw_tile(make_sample(), {})

    def test_size_and_original_size_are_told(self):
        sample = make_sample(original_size=Size(120, 120), file="a.jpg")
        assert "60x60 (original 120x120) \u00b7 a.jpg" in self.lines(
            texts.header_paragraphs(sample)
        )

    @pytest.mark.parametrize("text", ["naïve café", "两只狗 🐶", "\x00\x1b[31m\u202e", " \n ", ""])
    def test_any_text_can_be_drawn(self, text):
        region = Region(phrases=(text,), box=Box(0, 0, 9, 9))
        talk = ((Turn(text, text),),)
        draw_tile(make_sample(captions=(text,), regions=(region,), conversations=talk), {})

    def test_lines_are_no_wider_than_the_tile_and_lose_no_letter(self):
        text = "a few words, Supercalifragilistic" + "expialidocious" * 20 + " and\nmore"
        lines = wrap([TextRun(text[:9], GREY), TextRun(text[9:])], 14, 200)
        whole = ["".join(run.text for run in line) for line in lines]
        assert all(text_layout.load_font(14).getlength(line) <= 200 for line in whole)
        assert "".join("".join(whole).split()) == "".join(text.split())
        assert wrap([TextRun("wide")], 14, 1) == [(TextRun(letter),) for letter in "wide"]

    def test_letters_the_font_lacks_are_replaced_one_by_one(self):
        assert to_glyphs("“naïve” — 3\u00d74…") == "“naive” - 3x4…"
        assert len(to_glyphs("中文🐶")) == 3

    def test_a_pillow_without_freetype_draws_too(self, monkeypatch):
        def refuse(*_):
            raise ImportError

        caches = (text_layout.load_font, text_layout._to_glyph)
        with monkeypatch.context() as patch:
            patch.setattr("PIL.ImageFont.load_default", refuse)
            for function in caches:
                function.cache_clear()
            draw_tile(make_sample(captions=("naïve 中 “…” \u00b7",), file="a.jpg"), {})
            assert to_glyphs("ï中") == "i?"
        for function in caches:
            function.cache_clear()

    @pytest.mark.parametrize(
        "data", [b"", b"no image", encode_png(np.zeros((60, 60, 3), np.uint8))[:60]]
    )
    def test_a_photo_that_does_not_decode_is_named(self, data):
        image = EncodedImage(data, "jpg", Size(SIDE, SIDE))
        with pytest.raises(DecodeError, match=r"drawn-1\.jpg: does not decode"):
            draw_tile(make_sample(image=image), {})


class TestSelection:
    @pytest.mark.parametrize("seed", [None, 0, 5])
    @pytest.mark.parametrize("n", [1, 3, 4, 9, 10, 99])
    def test_distinct_samples_that_exist_in_order(self, n, seed):
        counts = [4, 1, 5]
        chosen = select_positions(counts, n, seed)
        assert len(chosen) == min(n, 10)
        assert chosen == sorted(set(chosen)) == select_positions(counts, n, seed)
        assert all(0 <= position < counts[shard] for shard, position in chosen)

    def test_seeds_differ(self):
        assert select_positions([1000], 16, 1) != select_positions([1000], 16, 2)

    def test_a_tar_is_read_no_further_than_needed(self, tmp_path):
        folder = write_split(tmp_path, [make_sample(f"drawn-{n}") for n in range(8)])
        for tar in folder.glob("*.tar"):
            tar.write_bytes(tar.read_bytes()[:-1024])
        assert write_sheet(folder, tmp_path / "a.png", n=2, seed=None, keys=[]) == 2


class TestCommand:
    def test_it_draws_and_says_where(self, split, tmp_path, capsys):
        out = tmp_path / "new" / "sheet.png"
        assert view(split, n=3, out=out) == 0
        assert capsys.readouterr().out == f"{out}: 3 samples\n"
        with Image.open(out) as sheet:
            assert sheet.width == 24 + 2 * (WIDTH + 24)

    def test_the_same_picture_every_time_another_for_another_seed(self, split, tmp_path):
        pictures = []
        for number, seed in enumerate([None, None, 1, 1, 2]):
            out = tmp_path / f"{number}.png"
            seeds = {} if seed is None else {"seed": seed}
            assert view(split, n=4, out=out, **seeds) == 0
            pictures.append(out.read_bytes())
        assert pictures[0] == pictures[1]
        assert pictures[2] == pictures[3]
        assert len(set(pictures)) == 3

    def test_more_than_there_are_gives_all(self, split, tmp_path, capsys):
        assert view(split, n=99, out=tmp_path / "a.jpg") == 0
        assert "10 samples" in capsys.readouterr().out

    @pytest.mark.parametrize("record", [True, False])
    def test_one_tar_will_do(self, split, tmp_path, capsys, record):
        tar = tmp_path / "one.tar"
        tar.write_bytes((split / "drawn-train-000000.tar").read_bytes())
        if record:
            tar.with_suffix(".json").write_bytes((split / "drawn-train-000000.json").read_bytes())
        assert view(tar, out=tmp_path / "a.png") == 0
        assert "4 samples" in capsys.readouterr().out

    def test_keys_are_drawn_in_their_order(self, split, tmp_path, monkeypatch):
        drawn = []
        sheet = draw_sheet

        def keep(tiles, title):
            drawn.extend(tiles)
            return sheet(tiles, title)

        monkeypatch.setattr("shards.view.sheet.draw_sheet", keep)
        monkeypatch.setattr("shards.view.sheet.draw_tile", lambda sample, _: named(sample.key))
        keys = ["drawn-8", "drawn-1", "drawn-8"]
        assert view(split, key=keys, out=tmp_path / "a.png") == 0
        assert [tile.info["key"] for tile in drawn] == ["drawn-8", "drawn-1"]

    def test_keys_are_found_in_any_shard(self, split):
        found = select_by_key(open_sample_set(split), ["drawn-9", "drawn-0"])
        assert [sample.key for sample in found] == ["drawn-0", "drawn-9"]

    def test_names_of_classes_come_from_the_split(self, tmp_path):
        folder = write_split(tmp_path, [make_sample()], classes=[ClassInfo(4, "sea")])
        assert open_sample_set(folder).classes == {4: "sea"}
        assert open_sample_set(folder / "drawn-train-000000.tar").classes == {4: "sea"}

    def test_it_runs_as_a_program(self, split, tmp_path):
        cases = (
            (["--n", "1"], {0}),
            (["--key", "no-such"], {1}),
            (["--n", "0"], {2}),
            (["--seed", "-1"], {2}),
        )
        for arguments, codes in cases:
            done = subprocess.run(
                [sys.executable, "-m", "shards.view", split, *arguments],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode in codes, done.stderr
            assert "Traceback" not in done.stderr
        assert (tmp_path / "sheet.png").is_file()

    def test_options_are_those_of_the_documentation(self, split, tmp_path):
        line = [str(split), "--n", "2", "--seed", "3", "--out", str(tmp_path / "b.png")]
        assert main(line) == 0
        assert (tmp_path / "b.png").is_file()


def named(key) -> Image.Image:
    tile = Image.new("RGB", (WIDTH, 10))
    tile.info["key"] = key
    return tile


class TestMistakes:
    def fails(self, capsys, path, expected, **options):
        assert view(path, **options) == 1
        message = capsys.readouterr().err
        assert message.startswith("view: ")
        assert expected in message

    def test_no_such_folder(self, tmp_path, capsys):
        out = tmp_path / "a.png"
        self.fails(capsys, tmp_path / "no", "expected a folder like OUT/refcoco/train", out=out)
        self.fails(capsys, tmp_path / "no.tar", "no.tar", out=out)
        assert not out.exists()

    def test_a_folder_above_splits_names_them(self, split, tmp_path, capsys):
        out = tmp_path / "a.png"
        self.fails(capsys, split.parent, f"try {split}", out=out)
        self.fails(capsys, split.parent.parent, "(drawn/train)", out=out)

    def test_an_unfinished_split_names_a_shard(self, tmp_path, capsys):
        folder = write_split(tmp_path, [make_sample()])
        (folder / "manifest.json").unlink()
        self.fails(capsys, folder, "drawn-train-000000.tar", out=tmp_path / "a.png")

    def test_no_samples(self, tmp_path, capsys):
        out = tmp_path / "a.png"
        folder = write_split(tmp_path / "empty", [])
        self.fails(capsys, folder, "has no samples", out=out)
        (tmp_path / "empty.tar").write_bytes(bytes(1024))
        self.fails(capsys, tmp_path / "empty.tar", "has no samples", out=out)

    def test_unknown_keys_are_all_named(self, split, tmp_path, capsys):
        keys = ["drawn-1", "x", "y"]
        self.fails(capsys, split, "drawn/train: x, y", key=keys, out=tmp_path / "a.png")

    def test_a_tar_with_fewer_samples_than_its_record_says(self, split, tmp_path, capsys):
        one = write_split(tmp_path, [make_sample("drawn-0")])
        record = (split / "drawn-train-000000.json").read_bytes()
        (one / "drawn-train-000000.json").write_bytes(record)
        tar = one / "drawn-train-000000.tar"
        self.fails(capsys, tar, "ends before sample 2", out=tmp_path / "a.png")

    def test_a_damaged_tar(self, split, tmp_path):
        tar = tmp_path / "cut.tar"
        tar.write_bytes((split / "drawn-train-000000.tar").read_bytes()[:700])
        with pytest.raises(CorruptShardError, match=r"cut\.tar"):
            write_sheet(tar, tmp_path / "a.png", n=4, seed=None, keys=[])

    def test_a_picture_that_cannot_be_written(self, split, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        self.fails(capsys, split, "cannot be written", n=1, out=tmp_path / "file" / "a.png")
        self.fails(capsys, split, "expected a name that ends in .png", out=tmp_path / "a.bmp")

    def test_the_error_survives_pickling(self):
        assert str(pickle.loads(pickle.dumps(ViewError("why")))) == "why"
