"""SDPs of a business, whole and broken."""

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(f"{value:02X}" for value in range(32))

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 3626166318745852955 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE audio",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 126",
        "c=IN IP4 127.0.0.1",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host",
        "a=ice-ufrag:4g1c",
        "a=ice-pwd:qY/Bb+jQzg5ICn6X4fhJQetk",
        FINGERPRINT,
        "a=setup:actpass",
        "a=mid:audio",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=20;useinbandfec=1",
        "a=rtpmap:126 telephone-event/8000",
        "a=maxptime:20",
        "a=ptime:20",
        "",
    ]
)
ANSWER = OFFER.replace("a=setup:actpass", "a=setup:active")
