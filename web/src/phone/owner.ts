/** Which tab of this browser has the phone: a Web Lock elects one, the others mirror it. */

import { createStore, type Store } from "./store";

export type Ownership = "deciding" | "here" | "elsewhere";

const LOCK = "callgate.phone";
const CHANNEL = "callgate.phone";
/** An uncontended lock is granted within a few milliseconds. */
const DECIDED_WITHIN_MS = 250;

/** What a mirror asks of the tab that has the phone. */
export type Request = { type: "answer"; callId: string };

export class Owner {
  readonly state: Store<Ownership> = createStore<Ownership>("deciding");
  #giveBack: (() => void) | null = null;
  #waiting: AbortController | null = null;
  #channel = new BroadcastChannel(CHANNEL);

  /** `serve` carries out what mirrors ask, while the phone is here. */
  constructor(serve: (request: Request) => void) {
    this.#channel.onmessage = (event: MessageEvent<Request>) => {
      if (this.state.get() === "here") serve(event.data);
    };
  }

  /** Stand in line for the phone. */
  start(): void {
    if (this.#waiting !== null || this.#giveBack !== null) return;
    if (!("locks" in navigator)) {
      // An insecure origin has no locks and no microphone either: nothing to share between tabs.
      this.state.set("here");
      return;
    }
    this.#waiting = new AbortController();
    void this.#hold({ signal: this.#waiting.signal });
    setTimeout(() => {
      if (this.state.get() === "deciding") this.state.set("elsewhere");
    }, DECIDED_WITHIN_MS);
  }

  /** Take the phone away from the tab that has it. Resolves once it is here. */
  async takeOver(): Promise<void> {
    this.#waiting?.abort();
    this.#waiting = null;
    await new Promise<void>((isHere) => {
      void this.#hold({ steal: true }, isHere);
    });
  }

  /** Let another tab have the phone (after signing out). */
  stop(): void {
    this.#waiting?.abort();
    this.#waiting = null;
    this.#giveBack?.();
    this.#giveBack = null;
    this.state.set("deciding");
  }

  ask(request: Request): void {
    this.#channel.postMessage(request);
  }

  async #hold(options: LockOptions, isHere: () => void = () => undefined): Promise<void> {
    const held = new Promise<void>((giveBack) => {
      this.#giveBack = giveBack;
    });
    try {
      await navigator.locks.request(LOCK, options, async () => {
        this.#waiting = null;
        this.state.set("here");
        isHere();
        await held;
      });
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
      if (options.signal?.aborted) return;
      // Another tab took the phone: stand in line again, in case that tab goes away.
      this.#giveBack = null;
      this.state.set("elsewhere");
      this.start();
    }
  }
}
