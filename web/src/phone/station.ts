/**
 * This desk: is the person ready, with which microphone, over which leg.
 *
 * Only the tab that has the phone (see `owner.ts`) drives a station. "Go ready" is the gesture
 * that unlocks sound; after it the microphone and a leg are held until "Go away".
 */

import { api } from "../api/client";
import type { Leg } from "./leg";
import { LegKeeper } from "./legKeeper";
import type { Line } from "./line";
import { Microphone, MicrophoneFailed } from "./microphone";
import type { Preferences } from "./preferences";
import {
  allWaiting,
  CheckFailed,
  type CheckId,
  type Checks,
  checkDevice,
  checkLevel,
  checkOrigin,
  failureIn,
  withCheck,
} from "./preflight";
import type { Notice } from "./reducer";
import { playOn, type Sound } from "./sound";
import { createStore, type Store } from "./store";

export interface StationState {
  phase: "off" | "checking" | "ready";
  /** Results of the last pre-flight; null before the first. */
  checks: Checks | null;
  /** The browser lets this page sound. */
  canSound: boolean;
  microphone: string | null;
  /** The device was lost and this one took its place, or none could. */
  deviceChange: { kind: "replaced"; label: string } | { kind: "lost" } | null;
}

const READY_KEY = "callgate.ready";
/** Notices that mean: your leg does not work. */
const LEG_CODES: readonly string[] = ["leg_gone", "leg_not_ready"];

export class Station {
  readonly state: Store<StationState>;
  readonly legs: LegKeeper;
  readonly #line: Line;
  readonly #sound: Sound;
  readonly #preferences: Store<Preferences>;
  readonly #player = new Audio();
  readonly #isInCall: () => boolean;
  #microphone: Microphone | null = null;
  #isHeard = false;

  /**
   * `call.attach` moves the live call to a new leg before the old one is closed;
   * `call.isHere` tells whether there is one on this station's leg.
   */
  constructor(
    line: Line,
    sound: Sound,
    preferences: Store<Preferences>,
    call: { attach: (leg: Leg) => Promise<void>; isHere: () => boolean },
  ) {
    this.#isInCall = call.isHere;
    this.#line = line;
    this.#sound = sound;
    this.#preferences = preferences;
    this.state = createStore<StationState>({
      phase: "off",
      checks: null,
      canSound: sound.canSound,
      microphone: null,
      deviceChange: null,
    });
    // The document leaves servers open (any JSON); the gateway sends what RTCIceServer asks for.
    const iceServers = () =>
      (line.state.get().me?.rtc.ice_servers ?? []) as unknown as RTCIceServer[];
    this.legs = new LegKeeper(iceServers, async (leg) => {
      await call.attach(leg);
      await this.#hear(leg);
    });
    sound.context.addEventListener("statechange", () => {
      this.state.patch({ canSound: sound.canSound });
    });
    line.state.subscribe(() => {
      this.#stayAvailable();
      this.#renewIfTold();
    });
    preferences.subscribe(() => void this.#applyPreferences());
    if ("mediaDevices" in navigator) {
      navigator.mediaDevices.addEventListener(
        "devicechange",
        () => void this.#applyPreferences(),
      );
    }
  }

  /** Loudness of the microphone in dB, -100 without one. */
  level = (): number => this.#microphone?.level() ?? -100;

  /** Let the WhatsApp side hear the microphone, or silence. */
  listen(isHeard: boolean): void {
    this.#isHeard = isHeard;
    this.#microphone?.listen(isHeard);
  }

  /**
   * Run the pre-flight and, if all of it holds, be offered calls. Call it from a click.
   * `evenIfSilent` goes on although the microphone gave no sound.
   */
  async goReady(evenIfSilent = false): Promise<void> {
    if (this.state.get().phase !== "off") return;
    this.state.patch({ phase: "checking", checks: allWaiting });
    const unlocked = this.#sound.unlock();
    let running: CheckId = "origin";
    const check = async (id: CheckId, holds: () => unknown): Promise<void> => {
      running = id;
      this.#noteCheck(id, { state: "running" });
      await holds();
      this.#noteCheck(id, { state: "passed" });
    };
    try {
      await check("origin", checkOrigin);
      await check("device", checkDevice);
      await check("permission", () => this.#openMicrophone());
      await check("level", () => (evenIfSilent ? undefined : checkLevel(this.level)));
      await check("tone", () => this.#checkTone(unlocked));
      await check("path", () => this.openLeg());
      await api.setAvailability("available");
    } catch (error) {
      const { id, ...result } = failureIn(running, error);
      if (id !== running) this.#noteCheck(running, { state: "waiting" });
      this.#noteCheck(id, result);
      if (!this.#isInCall()) this.#release();
      this.state.patch({ phase: "off" });
      return;
    }
    this.#becomeReady();
  }

  /** Ready without a pre-flight: after a reload in mid-call, when it was ready before. */
  async stayReadyAfterReload(): Promise<void> {
    if (sessionStorage.getItem(READY_KEY) === null) return;
    await api.setAvailability("available");
    this.#becomeReady();
  }

  /** No more calls, please. The microphone is let go; a call in progress keeps its leg. */
  async goAway(): Promise<void> {
    sessionStorage.removeItem(READY_KEY);
    this.state.patch({ phase: "off", checks: null });
    if (!this.#isInCall()) this.#release();
    await api.setAvailability("away");
  }

  /** The phone went to another tab, or the person signed out. */
  leave(): void {
    sessionStorage.removeItem(READY_KEY);
    this.#release();
    this.state.patch({ phase: "off", checks: null, deviceChange: null });
  }

  /** The page goes: outside a call nobody should ring here any more. */
  pageHides(): void {
    if (this.#isInCall()) return;
    if (this.state.get().phase === "ready") {
      sessionStorage.removeItem(READY_KEY);
      api.setAvailability("away", true).catch(() => undefined);
    }
    this.legs.drop(true);
  }

  /** The call is over: without "ready" neither microphone nor leg is wanted. */
  callOver(): void {
    if (this.state.get().phase === "off") this.#release();
  }

  /** A leg that is up, with the microphone it needs. */
  async openLeg(): Promise<Leg> {
    const microphone = this.#microphone ?? (await this.#openMicrophone());
    return this.legs.up(microphone.track);
  }

  dismissDeviceChange(): void {
    this.state.patch({ deviceChange: null });
  }

  /** A gesture came: sound may be possible now. */
  async unlockSound(): Promise<void> {
    await this.#sound.unlock();
    if (this.#player.srcObject !== null) await this.#player.play().catch(() => undefined);
    this.state.patch({ canSound: this.#sound.canSound });
  }

  #becomeReady(): void {
    sessionStorage.setItem(READY_KEY, "1");
    this.state.patch({ phase: "ready", canSound: this.#sound.canSound });
  }

  #noteCheck(id: CheckId, change: Parameters<typeof withCheck>[2]): void {
    this.state.patch({ checks: withCheck(this.state.get().checks ?? allWaiting, id, change) });
  }

  async #checkTone(unlocked: Promise<boolean>): Promise<void> {
    if (!(await unlocked)) throw new CheckFailed("no_sound");
    await this.#sound.test("speaker");
  }

  async #openMicrophone(): Promise<Microphone> {
    const opened = await Microphone.open(
      this.#preferences.get(),
      this.#sound.context,
      () => void this.#onMicrophoneGone(),
    );
    const old = this.#microphone;
    this.#microphone = opened;
    opened.listen(this.#isHeard);
    await this.legs.send(opened.track);
    old?.close();
    this.#opened = sourceOf(this.#preferences.get());
    this.state.patch({ microphone: opened.label });
    return opened;
  }

  #opened = "";

  async #onMicrophoneGone(): Promise<void> {
    try {
      const opened = await this.#openMicrophone();
      this.state.patch({ deviceChange: { kind: "replaced", label: opened.label } });
    } catch (error) {
      if (!(error instanceof MicrophoneFailed)) throw error;
      this.state.patch({ microphone: null, deviceChange: { kind: "lost" } });
    }
  }

  /** Another microphone, other processing or another speaker was chosen, or plugged in. */
  async #applyPreferences(): Promise<void> {
    const wanted = this.#preferences.get();
    await playOn(this.#player, wanted.speaker);
    const isStale = this.#opened !== sourceOf(wanted);
    const isLost = this.state.get().deviceChange?.kind === "lost";
    if (this.#microphone === null || !(isStale || isLost)) return;
    await this.#onMicrophoneGone();
    if (isStale && this.state.get().deviceChange?.kind === "replaced")
      this.dismissDeviceChange();
  }

  async #hear(leg: Leg): Promise<void> {
    this.#player.srcObject = leg.remote;
    await playOn(this.#player, this.#preferences.get().speaker);
    // Refused without a gesture: `canSound` is false then and the page asks for a click.
    await this.#player.play().catch(() => this.state.patch({ canSound: false }));
  }

  #release(): void {
    this.legs.drop();
    this.#player.srcObject = null;
    this.#microphone?.close();
    this.#microphone = null;
    this.state.patch({ microphone: null });
  }

  /** The gateway found our leg dead, or lost it with its media worker: make another. */
  #lastNotice: Notice | null = null;
  #renewIfTold(): void {
    const notice = this.#line.state.get().notices.find(({ code }) => LEG_CODES.includes(code));
    if (notice === undefined || notice === this.#lastNotice) return;
    this.#lastNotice = notice;
    this.legs.replace();
  }

  /** A gateway that was restarted, or lost sight of us, does not know that we are ready. */
  #wasOpen = false;
  #stayAvailable(): void {
    const { connection, me } = this.#line.state.get();
    const isOpen = connection === "open";
    if (isOpen && !this.#wasOpen) {
      this.legs.retryNow();
      if (this.state.get().phase === "ready" && me?.availability !== "available") {
        api.setAvailability("available").catch(() => this.#line.retryNow());
      }
    }
    this.#wasOpen = isOpen;
  }
}

/** What of the preferences decides about the microphone. */
function sourceOf(wanted: Preferences): string {
  return JSON.stringify([
    wanted.microphone,
    wanted.echoCancellation,
    wanted.noiseSuppression,
    wanted.autoGainControl,
  ]);
}
