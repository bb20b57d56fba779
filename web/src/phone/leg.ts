/**
 * The agent leg: one peer connection between this browser and the media worker.
 *
 * One audio m-line both ways and a data channel (an open one also keeps the tab from being
 * frozen). Legs are disposable: when one dies another is made, never repaired.
 */

import { api } from "../api/client";
import type { LegQuality } from "../api/types";
import { barsOf } from "./quality";

const GATHERED_WITHIN_MS = 1_000;
const CONNECTED_WITHIN_MS = 8_000;
const DATA_CHANNEL = "callgate";

/** The media path did not come up in time although the gateway answered. */
export class PathBlocked extends Error {}

export interface LegReading {
  packetsReceived: number;
  quality: LegQuality | null;
}

export class Leg {
  readonly id: string;
  /** What the other side says; never changes during the life of the leg. */
  readonly remote: MediaStream;
  readonly #peer: RTCPeerConnection;
  readonly #sender: RTCRtpSender;
  #isClosed = false;

  private constructor(
    id: string,
    peer: RTCPeerConnection,
    sender: RTCRtpSender,
    remote: MediaStream,
  ) {
    this.id = id;
    this.#peer = peer;
    this.#sender = sender;
    this.remote = remote;
  }

  /**
   * Make a leg that sends `track`; resolves once media can flow both ways.
   * Rejects with `Refused` (the gateway said no) or `PathBlocked`. `onLost` is called at most
   * once, when an established leg dies by itself.
   */
  static async open(
    iceServers: RTCIceServer[],
    track: MediaStreamTrack,
    onLost: (leg: Leg) => void,
  ): Promise<Leg> {
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    try {
      const { sender, receiver } = peer.addTransceiver(track, { direction: "sendrecv" });
      const channel = peer.createDataChannel(DATA_CHANNEL);
      await peer.setLocalDescription();
      await gathered(peer);
      const made = await api.createLeg(peer.localDescription?.sdp ?? "");
      const leg = new Leg(made.leg_id, peer, sender, new MediaStream([receiver.track]));
      try {
        await peer.setRemoteDescription({ type: "answer", sdp: made.answer });
        await connected(peer, channel);
      } catch (error) {
        leg.close();
        throw error;
      }
      leg.#watch(channel, onLost);
      return leg;
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  /** Send another track from now on, without renegotiation. */
  async send(track: MediaStreamTrack): Promise<void> {
    if (!this.#isClosed) await this.#sender.replaceTrack(track);
  }

  /** Close and tell the gateway. `keepalive` lets the request outlive the page. */
  close(keepalive = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peer.close();
    // The gateway notices a dead leg by itself; telling it only makes that sooner.
    api.deleteLeg(this.id, keepalive).catch(() => undefined);
  }

  async read(): Promise<LegReading> {
    const reports = await this.#peer.getStats();
    let packetsReceived = 0;
    let packetsLost = 0;
    let jitter = 0;
    let roundTrip: number | null = null;
    for (const report of reports.values() as Iterable<Record<string, unknown>>) {
      if (report["type"] === "inbound-rtp" && report["kind"] === "audio") {
        packetsReceived = Number(report["packetsReceived"] ?? 0);
        packetsLost = Math.max(0, Number(report["packetsLost"] ?? 0));
        jitter = Number(report["jitter"] ?? 0);
      }
      if (report["type"] === "candidate-pair" && report["nominated"] === true) {
        roundTrip = Number(report["currentRoundTripTime"] ?? 0);
      }
    }
    if (packetsReceived === 0 || roundTrip === null) return { packetsReceived, quality: null };
    const measured = {
      loss: packetsLost / (packetsLost + packetsReceived),
      jitterMs: jitter * 1000,
      roundTripMs: roundTrip * 1000,
    };
    return {
      packetsReceived,
      quality: {
        loss: measured.loss,
        jitter_ms: measured.jitterMs,
        round_trip_ms: measured.roundTripMs,
        bars: barsOf(measured),
      },
    };
  }

  #watch(channel: RTCDataChannel, onLost: (leg: Leg) => void): void {
    let isTold = false;
    const lost = (): void => {
      if (this.#isClosed || isTold) return;
      isTold = true;
      onLost(this);
    };
    this.#peer.onconnectionstatechange = () => {
      if (["disconnected", "failed", "closed"].includes(this.#peer.connectionState)) lost();
    };
    channel.onclose = lost;
    // It may have died between "connected" and this line.
    if (channel.readyState !== "open" || this.#peer.connectionState !== "connected") {
      queueMicrotask(lost);
    }
  }
}

function gathered(peer: RTCPeerConnection): Promise<void> {
  return new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    setTimeout(done, GATHERED_WITHIN_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState === "complete") done();
    });
  });
}

function connected(peer: RTCPeerConnection, channel: RTCDataChannel): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(
      () => fail(new PathBlocked("no media path within 8 s")),
      CONNECTED_WITHIN_MS,
    );
    const look = (): void => {
      if (peer.connectionState === "failed" || peer.connectionState === "closed") {
        clearTimeout(timer);
        fail(new PathBlocked(`the media path ${peer.connectionState}`));
      } else if (peer.connectionState === "connected" && channel.readyState === "open") {
        clearTimeout(timer);
        done();
      }
    };
    peer.addEventListener("connectionstatechange", look);
    channel.addEventListener("open", look);
    look();
  });
}
