"""What a package of evidence says to whoever has to check it, with our tools or without."""

TEXT = """EVIDENCE OF ONE CALL

What is in this archive
  manifest.json  every other file with its SHA-256, the number of events, the digest of the last
  manifest.sig   Ed25519 signature (RFC 8032) of manifest.json
  keys/          the public keys of the installation, named by the SHA-256 of the key's 32 bytes
  events.jsonl   what happened, a line for each event, each with the digest of the line before
  call.json      the same for people: who heard which announcement when, what was decided, files
  files/         the recordings that are kept
  roots/         daily roots that vouch for the events, their signatures, and the way to each

Check it with Callgate (no network, no database, no settings)
  callgate recording verify THIS_FILE --key KEY_ID
KEY_ID is what the installation itself tells of its key (callgate evidence key). Without it only
this is shown: that nothing was changed since the owner of the key in keys/ signed it.

Check it with standard tools
  1. tar xf THIS_FILE
  2. openssl pkeyutl -verify -pubin -inkey keys/KEY_ID.pem -rawin -in manifest.json \\
       -sigfile manifest.sig
  3. sha256sum each file, and compare with manifest.json
  4. for the events, line by line, without the line's end:
       while IFS= read -r line; do printf '%s' "$line" | sha256sum; done < events.jsonl
     Each digest is "previous" in the line after it; the last one is "head" in manifest.json.
     "seq" counts from 1 without a gap.
  5. for each roots/N.json, as in 2:
       openssl pkeyutl -verify -pubin -inkey keys/KEY_ID.pem -rawin -in roots/N.json \\
         -sigfile roots/N.sig
     roots/N.proof.json names an event by "seq", and its digest as "head". The digest of the
     byte 00 and {"call":...,"head":...,"seq":...} (no blanks) is joined with each step of
     "path": the digest of the byte 01, the left digest, the right digest (RFC 6962, section
     2.1). The last is "tree" in roots/N.json.

Times are UTC. Events name no customer; call.json does.
"""
