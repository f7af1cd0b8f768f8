"""Croissant 1.0: `croissant.json` of a source, for dataset searches and `mlcroissant`.

Format: docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html. Each tar is a FileObject with its
size and sha256; each split has FileSets of the members and a RecordSet of the photos. Croissant
cannot extract fields from msgpack, so the annotations are a FileSet only.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

import pyarrow.compute as pc

from shards.index import FileContents, IndexFormat, Listing, Splits
from shards.layout import ANNOTATIONS, LABELS

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""All terms of the specification."""

_MEDIA_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    LABELS: "image/png",
    ANNOTATIONS: "application/vnd.msgpack",
}

_Node = dict[str, object]


def source_files(splits: Splits) -> FileContents:
    """`croissant.json`; no file for a source without samples."""
    filled = {name: splits[name] for name in sorted(splits) if splits[name].manifest.samples}
    if not filled:
        return {}
    [source] = {listing.manifest.source for listing in filled.values()}
    counts = ", ".join(f"{name}: {listing.manifest.samples}" for name, listing in filled.items())
    distribution, records = list[_Node](), list[_Node]()
    for split, listing in filled.items():
        tars = list(_tars(split, listing))
        distribution += tars
        extensions = _extensions(listing)
        distribution += [_members(split, extension, tars) for extension in extensions]
        records += [_records(split, e) for e in extensions if _MEDIA_TYPES[e].startswith("image/")]
    card = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": source,
        "description": f"{source} as WebDataset shards: photos, annotations as msgpack. "
        f"Samples: {counts}.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "distribution": distribution,
        "recordSet": records,
    }
    return {"croissant.json": (json.dumps(card, indent=1) + "\n").encode()}


def _extensions(listing: Listing) -> Sequence[str]:
    extensions = sorted(pc.unique(listing.rows["image"]).to_pylist())
    if pc.any(pc.greater(listing.rows["labels_size"], 0)).as_py():
        extensions.append(LABELS)
    return [*extensions, ANNOTATIONS]


def _tars(split: str, listing: Listing) -> Iterator[_Node]:
    for info in listing.manifest.shards:
        yield {
            "@type": "cr:FileObject",
            "@id": f"{info.name}.tar",
            "name": f"{info.name}.tar",
            "contentUrl": f"{split}/{info.name}.tar",
            "contentSize": f"{info.bytes} B",
            "encodingFormat": "application/x-tar",
            "sha256": info.sha256,
        }


def _members(split: str, extension: str, tars: Sequence[_Node]) -> _Node:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-{extension}-files",
        "name": f"{split}-{extension}-files",
        "containedIn": [{"@id": tar["@id"]} for tar in tars],
        "encodingFormat": _MEDIA_TYPES[extension],
        "includes": f"*.{extension}",
    }


def _records(split: str, extension: str) -> _Node:
    name = f"{split}-{extension}"
    file_set = {"@id": f"{name}-files"}
    pattern = extension.replace(".", "\\.")
    key = _field(f"{name}/key", "sc:Text", {
        "fileSet": file_set,
        "extract": {"fileProperty": "filename"},
        "transform": {"regex": f"^(.*)\\.{pattern}$"},
    })  # fmt: skip
    content = {"fileSet": file_set, "extract": {"fileProperty": "content"}}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/key"},
        "field": [key, _field(f"{name}/{extension}", "sc:ImageObject", content)],
    }


def _field(name: str, kind: str, source: Mapping[str, object]) -> _Node:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, "source": source}


CROISSANT = IndexFormat("croissant", ("*/croissant.json",), source_files=source_files)
