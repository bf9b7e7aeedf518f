"""Object keys that clients, proxies and signers are known to disagree on."""

# Any file system can hold these.
PLAIN = [
    "plain.txt",
    "a b  c",
    "plus+plus",
    "per%cent",
    "%41%2F",
    "a%20b",
    "grüße/日本語/😀.txt",
    "e\u0301 is not \u00e9",
    "&?#=;:@$,",
    "'quotes\" <tags>",
    "!*()~-_.",
    "[{|}]^`\\",
    "folder/sub folder/x+y=z&.txt",
    "folder/.hidden",
    "folder...",
]
LONG = "/".join(letter * length for letter, length in zip("abcd", (250, 249, 249, 249)))
assert len(LONG) == 1000

# No file system can: empty and dot segments. None has more ".." than segments before: S3 takes no such key.
SEGMENTS = ["a//b", "/lead", "//lead", "a/../b", "a/b/../../up", "a/./b", "./here", "a/..", "folder//"]
