/** The WebSocket to the gateway: feeds the reducer, comes back by itself, says "alive". */

import { api } from "../api/client";
import type { CallView, Me, ServerMessage } from "../api/types";
import { backoffMs } from "./backoff";
import { ownCall } from "./calls";
import { initialLine, type LineEvent, type LineState, reduce } from "./reducer";
import { createStore, type Store } from "./store";

const SESSION_ENDED = 4401;
/** Codes 4000–4999 are free for applications; ours says "I missed an event". */
const MISSED_EVENT = 4000;

export class Line {
  readonly state: Store<LineState> = createStore(initialLine);
  #socket: WebSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ticker: Worker | null = null;
  #isWanted = false;

  /** Connect and stay connected until `stop`. Idempotent. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#ticker = new Worker(new URL("./alive.worker.ts", import.meta.url), {
      type: "module",
    });
    this.#ticker.onmessage = () => this.#sayAlive();
    window.addEventListener("online", this.#reconnectNow);
    this.#connect();
  }

  stop(): void {
    this.#isWanted = false;
    clearTimeout(this.#retry);
    window.removeEventListener("online", this.#reconnectNow);
    this.#ticker?.terminate();
    this.#ticker = null;
    this.#drop();
  }

  /** Take in a call that a REST answer carried; older news than what is known changes nothing. */
  callRead(call: CallView): void {
    this.#dispatch({ type: "call_read", call });
  }

  /** Somebody signed in; the snapshot will say the rest. */
  meRead(me: Me): void {
    this.#dispatch({ type: "me_read", me });
  }

  dismissLastCall(): void {
    this.#dispatch({ type: "last_call_dismissed" });
  }

  dismissNotice(code: string): void {
    this.#dispatch({ type: "notice_dismissed", code });
  }

  /** Do not wait for the next try. */
  retryNow(): void {
    if (this.state.get().connection === "waiting") this.#reconnectNow();
  }

  signedOut(): void {
    this.stop();
    this.#dispatch({ type: "signed_out" });
  }

  #dispatch(event: LineEvent): void {
    this.state.set(reduce(this.state.get(), event));
  }

  #connect(): void {
    this.#dispatch({ type: "connecting" });
    const address = new URL("/api/v1/events", window.location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(socket, String(event.data));
    socket.onclose = (event) => this.#onClose(socket, event.code);
  }

  #receive(socket: WebSocket, text: string): void {
    if (socket !== this.#socket) return;
    const before = this.state.get();
    const message = JSON.parse(text) as ServerMessage;
    this.#dispatch({ type: "message", message, receivedAt: Date.now() });
    const after = this.state.get();
    if (after.gap) socket.close(MISSED_EVENT, "missed an event");
    else if (message.type === "snapshot") this.#askHowItEnded(before, after);
  }

  /** My call is not in the snapshot any more: it ended while nobody told us. */
  #askHowItEnded(before: LineState, after: LineState): void {
    const call = ownCall(before);
    if (call === null || after.live[call.id] !== undefined) return;
    api.call(call.id).then(
      (known) => this.callRead(known),
      // Without an answer the call is simply gone from the screen, as the snapshot said.
      () => undefined,
    );
  }

  #onClose(socket: WebSocket, code: number): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (code === SESSION_ENDED) {
      this.signedOut();
      return;
    }
    if (!this.#isWanted) return;
    const { seq, attempt } = this.state.get();
    // A handshake refused with 401 looks like any other failure here; this tells them apart.
    if (seq === 0) void api.me().catch(() => undefined);
    const delay = code === MISSED_EVENT ? 0 : backoffMs(attempt + 1, Math.random());
    this.#dispatch({ type: "lost", retryAt: Date.now() + delay });
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  #reconnectNow = (): void => {
    clearTimeout(this.#retry);
    this.#drop();
    this.#connect();
  };

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #sayAlive(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type: "alive" }));
    }
  }
}
