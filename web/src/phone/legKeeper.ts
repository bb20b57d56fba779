/** Keeps an agent leg up for as long as one is wanted; replaces it when it dies. */

import { refusalOf } from "../api/client";
import { backoffMs } from "./backoff";
import { Leg, PathBlocked } from "./leg";
import { createStore, type Store } from "./store";

export interface LegState {
  phase: "none" | "opening" | "up" | "replacing";
  /** Code of the last failure while there is no leg that works. */
  failure: string | null;
}

export class LegKeeper {
  readonly state: Store<LegState> = createStore<LegState>({ phase: "none", failure: null });
  readonly #iceServers: () => RTCIceServer[];
  readonly #attach: (leg: Leg) => Promise<void>;
  #leg: Leg | null = null;
  #track: MediaStreamTrack | null = null;
  #opening: Promise<Leg> | null = null;
  #wake: () => void = () => undefined;

  /** `attach` moves what is live to a new leg; the old one is closed only after it. */
  constructor(iceServers: () => RTCIceServer[], attach: (leg: Leg) => Promise<void>) {
    this.#iceServers = iceServers;
    this.#attach = attach;
  }

  get leg(): Leg | null {
    return this.#leg;
  }

  /** The leg that is up, or a first one. Rejects if it cannot be had now. */
  up(track: MediaStreamTrack): Promise<Leg> {
    this.#track = track;
    if (this.#leg !== null && this.state.get().phase === "up") {
      return Promise.resolve(this.#leg);
    }
    return this.#opening ?? this.#open("opening");
  }

  /** A new leg in place of the one that the gateway does not know any more. */
  renew(): Promise<Leg> {
    return this.#opening ?? this.#open("replacing");
  }

  /** Send this track from now on (another device, other processing). */
  async send(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    await this.#leg?.send(track);
  }

  /** No leg is wanted any more. */
  drop(keepalive = false): void {
    this.#track = null;
    this.#leg?.close(keepalive);
    this.#leg = null;
    this.state.set({ phase: "none", failure: null });
    this.#wake();
  }

  /** Try at once, for instance because the gateway is reachable again. */
  retryNow(): void {
    this.#wake();
  }

  #open(phase: "opening" | "replacing"): Promise<Leg> {
    this.state.set({ ...this.state.get(), phase });
    const opening = this.#replace().finally(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    this.#opening = opening;
    return opening;
  }

  async #replace(): Promise<Leg> {
    const track = this.#track;
    if (track === null) throw new Error("no leg is wanted");
    const old = this.#leg;
    let made: Leg;
    try {
      made = await Leg.open(this.#iceServers(), track, (leg) => this.#onLost(leg));
    } catch (error) {
      const phase = old === null ? "none" : "replacing";
      if (this.#track !== null) this.state.set({ phase, failure: failureOf(error) });
      throw error;
    }
    if (this.#track === null) {
      made.close();
      throw new Error("the leg is not wanted any more");
    }
    if (this.#track !== track) await made.send(this.#track);
    this.#leg = made;
    await this.#attach(made);
    old?.close();
    if (this.#leg === made) this.state.set({ phase: "up", failure: null });
    return made;
  }

  #onLost(leg: Leg): void {
    if (leg !== this.#leg || this.#track === null) return;
    this.state.set({ phase: "replacing", failure: null });
    void this.#replaceUntilUp(leg);
  }

  /** The gateway says that this leg is of no use: as if it had died by itself. */
  replace(): void {
    if (this.#leg !== null && this.state.get().phase === "up") this.#onLost(this.#leg);
  }

  async #replaceUntilUp(lost: Leg): Promise<void> {
    for (let attempt = 1; this.#leg === lost; attempt += 1) {
      try {
        await this.renew();
        return;
      } catch {
        // What went wrong is in the state; the next try comes by itself.
        await this.#pause(backoffMs(attempt, Math.random()));
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }
}

/** Stable code of why there is no leg, for the words on the screen. */
export function failureOf(error: unknown): string {
  return error instanceof PathBlocked ? "path_blocked" : refusalOf(error).code;
}
