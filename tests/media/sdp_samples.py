"""Descriptions in the shapes of real browsers and of WhatsApp; all values are invented."""

# ruff: noqa: E501  (a line of SDP cannot be wrapped)

FINGERPRINT = ":".join(f"{n:02X}" for n in range(16, 48))
OTHER_FINGERPRINT = ":".join(f"{n:02X}" for n in range(32))


def _lines(text: str) -> str:
    return text.strip().replace("FINGERPRINT", FINGERPRINT).replace("\n", "\r\n") + "\r\n"


CHROME = _lines("""
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 3b2f9c1e-0001-4d4d-9d9d-aaaaaaaaaaaa
m=audio 51234 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.33
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1467250027 1 udp 2122260223 192.0.2.33 51234 typ host generation 0 network-id 1
a=candidate:1467250028 1 udp 2122194687 0d6a5a5a-1111-4222-8333-444444444444.local 51235 typ host generation 0 network-id 2
a=candidate:435653019 1 tcp 1518280447 192.0.2.33 9 typ host tcptype active generation 0 network-id 1
a=ice-ufrag:aXq1
a=ice-pwd:u5vPPkVnUbLkPlwRaj8Zp0jX
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=sendrecv
a=msid:3b2f9c1e-0001-4d4d-9d9d-aaaaaaaaaaaa 0b8f7f3c-2222-4a4a-8a8a-bbbbbbbbbbbb
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1923847561 cname:Qw2rT5yU8iOp
a=ssrc:1923847561 msid:3b2f9c1e-0001-4d4d-9d9d-aaaaaaaaaaaa 0b8f7f3c-2222-4a4a-8a8a-bbbbbbbbbbbb
m=application 51234 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.33
a=ice-ufrag:aXq1
a=ice-pwd:u5vPPkVnUbLkPlwRaj8Zp0jX
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""")

FIREFOX = _lines("""
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 8105233445566778899 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 FINGERPRINT
a=group:BUNDLE 0 1
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 45678 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 192.0.2.44
a=candidate:0 1 UDP 2122252543 192.0.2.44 45678 typ host
a=candidate:1 1 TCP 2105524479 192.0.2.44 9 typ host tcptype active
a=sendrecv
a=end-of-candidates
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:5d1c9c8d7e6f5a4b3c2d1e0f9a8b7c6d
a=ice-ufrag:7f3e2d1c
a=mid:0
a=msid:{b1a2c3d4-1111-4111-8111-cccccccccccc} {d4c3b2a1-2222-4222-8222-dddddddddddd}
a=rtcp:45679 IN IP4 192.0.2.44
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:2718281828 cname:{e5f6a7b8-3333-4333-8333-eeeeeeeeeeee}
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=bundle-only
a=ice-pwd:5d1c9c8d7e6f5a4b3c2d1e0f9a8b7c6d
a=ice-ufrag:7f3e2d1c
a=mid:1
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
""")

SAFARI = _lines("""
v=0
o=- 1230984576123098457 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 11112222-3333-4444-5555-666677778888
m=audio 9 UDP/TLS/RTP/SAVPF 96 9 0 8 13 101
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:S4fr
a=ice-pwd:Kk3Jj4Hh5Gg6Ff7Dd8Ss9Aa0
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:0
a=sendrecv
a=msid:11112222-3333-4444-5555-666677778888 99990000-aaaa-bbbb-cccc-ddddeeeeffff
a=rtcp-mux
a=rtpmap:96 opus/48000/2
a=rtcp-fb:96 transport-cc
a=fmtp:96 minptime=10;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:101 telephone-event/8000
a=ssrc:314159265 cname:Zx9Cv8Bn7Mm6
""")

WHATSAPP_OFFER = _lines("""
v=0
o=- 1790000000000 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE audio
a=msid-semantic: WMS 0f0f0f0f-1111-2222-3333-444444444444
a=ice-lite
m=audio 3484 UDP/TLS/RTP/SAVPF 111 126
c=IN IP4 198.51.100.35
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2776204705 1 udp 2122260223 198.51.100.35 3484 typ host generation 0 network-cost 50
a=candidate:282356334 1 udp 2122262783 2001:db8:f33e:120:face:b00c:0:699c 3484 typ host generation 0 network-cost 50
a=ice-ufrag:MkBWnyZXw+wMTKqA
a=ice-pwd:X29zIx+RGAlhVLF1/lo0oQ==
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:audio
a=sendrecv
a=msid:0f0f0f0f-1111-2222-3333-444444444444 WhatsAppTrack1
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;useinbandfec=1
a=rtpmap:126 telephone-event/8000
a=maxptime:20
a=ptime:20
a=ssrc:3435760938 cname:WhatsAppAudioStream1
""")

WHATSAPP_ANSWER = _lines("""
v=0
o=- 8076734947255960322 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE audio
a=extmap-allow-mixed
a=ice-lite
m=audio 3482 UDP/TLS/RTP/SAVPF 111 126
c=IN IP4 198.51.100.130
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2754936280 1 udp 2113937151 198.51.100.130 3482 typ host generation 0 network-cost 50 ufrag kv6Jn8vBmEds/8
a=ice-ufrag:kv6Jn8vBmEds/8
a=ice-pwd:OhY8sT7v6PJe3bbs0Yx2TC/oPb5oatnK
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:active
a=mid:audio
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:126 telephone-event/8000
a=ssrc:433528572 cname:VBDcSNicg1Wg6D3
a=ssrc:433528572 msid:68a296ba-41cc-41db-8edb-3ddf4dbbb483 audio
a=ssrc:433528572 mslabel:68a296ba-41cc-41db-8edb-3ddf4dbbb483
a=ssrc:433528572 label:audio
""")

ALL = (CHROME, FIREFOX, SAFARI, WHATSAPP_OFFER, WHATSAPP_ANSWER)
