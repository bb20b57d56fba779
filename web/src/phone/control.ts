/** What a person does with calls, and how a live call stays joined to this browser. */

import { api, type DialTarget, Refused, refusalOf } from "../api/client";
import type { CallView, LegQuality } from "../api/types";
import { ownCall } from "./calls";
import { type Leg, PathBlocked } from "./leg";
import type { Line } from "./line";
import { MicrophoneFailed } from "./microphone";
import type { Owner } from "./owner";
import { isSpeech, type Levels, TICK_MS, withLevel } from "./speech";
import type { Station } from "./station";
import { createStore, type Store } from "./store";

export type Deed = "answer" | "dial" | "decline" | "hang_up" | "mute" | "hold" | "resume";

export interface ControlState {
  /** Asked for and not yet settled. */
  pending: Deed | null;
  /** Which call the pending deed is about; none for a dial. */
  pendingCallId: string | null;
  /** What went wrong last, until dismissed. */
  failure: { deed: Deed; refused: Refused } | null;
  /** What was asked for, shown before the gateway confirms. */
  muted: boolean | null;
  held: boolean | null;
  /** Is sound of the WhatsApp side coming in? `none` until the first packet of this call. */
  sound: "none" | "arriving" | "stalled";
  /** Milliseconds waited for the first packet. */
  soundWaitMs: number;
  /** Measured in this browser; the gateway's figures come with the call. */
  quality: LegQuality | null;
  isTalkingWhileMuted: boolean;
  /** The call that this tab's leg is attached to. */
  callHere: string | null;
}

const CALL_KEY = "callgate.call";
const STALLED_AFTER_MS = 3_000;
const RETRY_ATTACH_MS = 2_000;

const quiet = {
  muted: null,
  held: null,
  sound: "none",
  soundWaitMs: 0,
  quality: null,
  isTalkingWhileMuted: false,
  callHere: null,
} as const satisfies Partial<ControlState>;

export class Control {
  readonly state: Store<ControlState> = createStore<ControlState>({
    pending: null,
    pendingCallId: null,
    failure: null,
    ...quiet,
  });
  #line!: Line;
  #station!: Station;
  #owner!: Owner;
  #watch: ReturnType<typeof setInterval> | undefined;
  #attaching = false;
  #retryAttachAt = 0;

  /** Join the parts that need each other; call once, before anything else. */
  connect(line: Line, station: Station, owner: Owner): void {
    this.#line = line;
    this.#station = station;
    this.#owner = owner;
    line.state.subscribe(() => this.#sync());
    owner.state.subscribe(() => this.#sync());
  }

  get ownCall(): CallView | null {
    return ownCall(this.#line.state.get());
  }

  /** Answer with this tab's leg; a tab without the phone asks the one that has it. */
  async answer(callId: string): Promise<void> {
    if (this.#owner.state.get() !== "here") return this.#owner.ask({ type: "answer", callId });
    await this.#carryOut("answer", callId, async () => {
      this.#station.listen(true);
      const { call } = await this.#onLeg((leg) => api.answer(callId, leg.id));
      this.#nowHere(call);
    });
  }

  /** Returns whether the call was started. */
  dial(to: DialTarget, numberId: string | undefined): Promise<boolean> {
    const key = crypto.randomUUID();
    return this.#carryOut("dial", null, async () => {
      const { call } = await this.#onLeg((leg) => api.dial(to, numberId, leg.id, key));
      this.#nowHere(call);
    });
  }

  async decline(callId: string, everyone = false): Promise<void> {
    await this.#carryOut("decline", callId, () => api.decline(callId, everyone));
  }

  async hangUp(): Promise<void> {
    const call = this.ownCall;
    if (call === null) return;
    await this.#carryOut("hang_up", call.id, async () => {
      await api.hangUp(call.id).catch(passIfEnded);
    });
  }

  /** Silence the microphone at once, here and at the gateway. */
  async mute(muted: boolean): Promise<void> {
    const call = this.ownCall;
    if (call === null) return;
    this.state.patch({ muted });
    this.#syncMicrophone();
    const isDone = await this.#carryOut("mute", call.id, () => api.mute(call.id, muted));
    if (!isDone) this.state.patch({ muted: null });
    this.#syncMicrophone();
  }

  async hold(held: boolean): Promise<void> {
    const call = this.ownCall;
    if (call === null) return;
    this.state.patch({ held });
    const isDone = await this.#carryOut("hold", call.id, () => api.hold(call.id, held));
    if (!isDone) this.state.patch({ held: null });
  }

  /** Continue here a call that ran elsewhere or whose leg was lost. Call it from a click. */
  async resume(): Promise<void> {
    const call = this.ownCall;
    if (call === null) return;
    await this.#station.unlockSound();
    await this.#carryOut("resume", call.id, () => this.#attachHere(call));
  }

  dismissFailure(): void {
    this.state.patch({ failure: null });
  }

  /** Move the live call to a new leg; the old leg is closed after this. */
  attach = async (leg: Leg): Promise<void> => {
    const call = this.ownCall;
    if (call === null || this.state.get().callHere !== call.id) return;
    try {
      const { call: moved } = await api.reattach(call.id, leg.id);
      this.#line.callRead(moved);
    } catch {
      // The leg is good, only the call is not on it yet: `#sync` tries again.
      this.state.patch({ callHere: null });
      this.#retryAttachLater();
    }
  };

  async #carryOut(
    deed: Deed,
    callId: string | null,
    act: () => Promise<unknown>,
  ): Promise<boolean> {
    this.state.patch({ pending: deed, pendingCallId: callId, failure: null });
    try {
      await act();
      return true;
    } catch (error) {
      this.state.patch({ failure: { deed, refused: asRefused(error) } });
      return false;
    } finally {
      this.state.patch({ pending: null, pendingCallId: null });
      this.#sync();
    }
  }

  /** Do it with the leg that is up; if the gateway lost that one, once more with a new one. */
  async #onLeg<T>(act: (leg: Leg) => Promise<T>): Promise<T> {
    const leg = await this.#station.openLeg();
    try {
      return await act(leg);
    } catch (error) {
      const { code } = refusalOf(error);
      if (code === "leg_gone" || code === "leg_not_ready") {
        return act(await this.#station.legs.renew());
      }
      // No answer came: the same key makes a second dial harmless, answer and reattach are.
      if (code === "unreachable") return act(leg);
      throw error;
    }
  }

  async #attachHere(call: CallView): Promise<void> {
    const { call: moved } = await this.#onLeg((leg) => api.reattach(call.id, leg.id));
    this.#nowHere(moved);
    await this.#station.stayReadyAfterReload();
  }

  #nowHere(call: CallView): void {
    sessionStorage.setItem(CALL_KEY, call.id);
    this.state.patch({ ...quiet, callHere: call.id });
    this.#line.callRead(call);
    this.#sync();
  }

  /** Bring this browser in line with what the gateway says about my call. */
  #sync(): void {
    const call = this.ownCall;
    const state = this.state.get();
    if (call === null) {
      const isKnown = this.#line.state.get().connection === "open";
      if (isKnown && state.pending !== "answer" && state.pending !== "dial") this.#over();
      return;
    }
    if (state.muted !== null && state.muted === call.muted) this.state.patch({ muted: null });
    if (state.held !== null && state.held === call.held) this.state.patch({ held: null });
    this.#syncMicrophone();
    this.#syncWatch(call);
    if (this.#shouldAttach(call)) void this.#attachByItself(call);
  }

  #over(): void {
    this.#retryAttachAt = 0;
    if (sessionStorage.getItem(CALL_KEY) !== null) sessionStorage.removeItem(CALL_KEY);
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#station.listen(false);
    if (this.state.get().callHere !== null) {
      this.state.patch(quiet);
      this.#station.callOver();
    }
  }

  #syncMicrophone(): void {
    const call = this.ownCall;
    const { muted, callHere, pending } = this.state.get();
    const isJoining = pending === "answer" || pending === "dial";
    const isMine = call !== null && callHere === call.id;
    this.#station.listen((isMine || isJoining) && !(muted ?? call?.muted ?? false));
  }

  /**
   * Without being asked only a call that this very tab had before a reload, or that lost its leg,
   * is taken: one that runs well on the person's other machine is left alone.
   */
  #shouldAttach(call: CallView): boolean {
    if (this.#owner.state.get() !== "here" || this.#attaching) return false;
    if (this.#line.state.get().connection !== "open") return false;
    const { callHere, pending } = this.state.get();
    if (pending === "answer" || pending === "dial" || pending === "resume") return false;
    if (Date.now() < this.#retryAttachAt) return false;
    if (callHere === call.id) {
      return call.agent_away && this.#station.legs.state.get().phase === "up";
    }
    return call.agent_away || sessionStorage.getItem(CALL_KEY) === call.id;
  }

  async #attachByItself(call: CallView): Promise<void> {
    this.#attaching = true;
    try {
      if (await this.#mayOpenMicrophone(call)) await this.#attachHere(call);
      else this.#retryAttachAt = Number.POSITIVE_INFINITY;
    } catch (error) {
      const refused = asRefused(error);
      this.state.patch({ failure: { deed: "resume", refused } });
      this.#retryAttachLater();
    } finally {
      this.#attaching = false;
    }
  }

  #retryAttachLater(): void {
    this.#retryAttachAt = Date.now() + RETRY_ATTACH_MS;
    setTimeout(() => this.#sync(), RETRY_ATTACH_MS);
  }

  /** A prompt out of nowhere would be rude, except in the tab that was just reloaded. */
  async #mayOpenMicrophone(call: CallView): Promise<boolean> {
    if (sessionStorage.getItem(CALL_KEY) === call.id) return true;
    const name = "microphone" as PermissionName;
    const permission = await navigator.permissions.query({ name }).catch(() => null);
    return permission?.state === "granted";
  }

  #syncWatch(call: CallView): void {
    const isTalking = call.state === "talking" && this.state.get().callHere === call.id;
    if (!isTalking) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else if (this.#watch === undefined) {
      this.#startWatch();
    }
  }

  /** Look at incoming packets (is there sound?) and at the microphone (talking while muted?). */
  #startWatch(): void {
    let leg: Leg | null = null;
    let packets = 0;
    let grewAt = performance.now();
    const since = grewAt;
    let levels: Levels = [];
    let isReading = false;
    const look = async (): Promise<void> => {
      const current = this.#station.legs.leg;
      if (current === null || isReading) return;
      isReading = true;
      const reading = await current.read().finally(() => {
        isReading = false;
      });
      const now = performance.now();
      const isSameLeg = leg === current;
      if (isSameLeg && reading.packetsReceived > packets) {
        grewAt = now;
        this.state.patch({ sound: "arriving", quality: reading.quality });
      } else if (this.state.get().sound === "none") {
        this.state.patch({ soundWaitMs: now - since });
      } else if (now - grewAt > STALLED_AFTER_MS) {
        this.state.patch({ sound: "stalled" });
      }
      leg = current;
      packets = reading.packetsReceived;
    };
    this.#watch = setInterval(() => {
      void look();
      levels = withLevel(levels, this.#station.level());
      const muted = this.state.get().muted ?? this.ownCall?.muted ?? false;
      const isTalkingWhileMuted = muted && isSpeech(levels);
      if (!muted) levels = [];
      if (isTalkingWhileMuted !== this.state.get().isTalkingWhileMuted) {
        this.state.patch({ isTalkingWhileMuted });
      }
    }, TICK_MS);
  }
}

/** Hanging up a call that is over already is no failure. */
function passIfEnded(error: unknown): void {
  const { code } = refusalOf(error);
  if (code !== "call_ended" && code !== "not_found") throw error;
}

/** One shape for the problem panel, whether gateway, path or microphone failed. */
function asRefused(error: unknown): Refused {
  if (error instanceof MicrophoneFailed) return local(`microphone_${error.fault}`, error);
  if (error instanceof PathBlocked) return local("path_blocked", error);
  return refusalOf(error);
}

function local(code: string, error: Error): Refused {
  return new Refused(0, { code, detail: error.message });
}
