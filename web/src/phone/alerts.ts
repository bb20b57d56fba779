/** Makes an incoming call noticed: ring, desktop notification, title, icon. One tab only. */

import type { CallView } from "../api/types";
import { offers, ownCall } from "./calls";
import type { Line } from "./line";
import type { Owner } from "./owner";
import type { Sound } from "./sound";
import type { Station } from "./station";

const FLASH_EVERY_MS = 1_000;

/** The words of an alert, in the language of the person. */
export interface AlertWords {
  title: (call: CallView) => string;
  body: (call: CallView) => string;
}

export class Alerts {
  readonly #line: Line;
  readonly #owner: Owner;
  readonly #station: Station;
  readonly #sound: Sound;
  readonly #words: AlertWords;
  readonly #plainTitle = document.title;
  #notification: { callId: string; shown: Notification } | null = null;
  #flash: ReturnType<typeof setInterval> | undefined;

  constructor(line: Line, owner: Owner, station: Station, sound: Sound, words: AlertWords) {
    this.#line = line;
    this.#owner = owner;
    this.#station = station;
    this.#sound = sound;
    this.#words = words;
    for (const { subscribe } of [line.state, owner.state, station.state]) {
      subscribe(() => this.#sync());
    }
  }

  /** Ask for the permission to notify; call it from a click. */
  askToNotify(): void {
    if ("Notification" in window && Notification.permission === "default") {
      void Notification.requestPermission();
    }
  }

  #sync(): void {
    const line = this.#line.state.get();
    const isHere = this.#owner.state.get() === "here";
    const own = ownCall(line);
    const offered = line.connection === "open" && own === null ? offers(line)[0] : undefined;
    const isReady = this.#station.state.get().phase === "ready";
    if (offered !== undefined && isHere && isReady) this.#alert(offered);
    else this.#calm(isHere && own?.state === "remote_ringing");
  }

  #alert(call: CallView): void {
    this.#sound.ring();
    this.#startFlash(call);
    const isSeen = document.visibilityState === "visible" && document.hasFocus();
    if (isSeen || this.#notification?.callId === call.id) return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const shown = new Notification(this.#words.title(call), {
      body: this.#words.body(call),
      tag: call.id,
      requireInteraction: true,
      icon: "/icon.svg",
    });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
    this.#closeNotification();
    this.#notification = { callId: call.id, shown };
  }

  #calm(isRemoteRinging: boolean): void {
    if (isRemoteRinging) this.#sound.ringback();
    else this.#sound.hush();
    this.#closeNotification();
    clearInterval(this.#flash);
    this.#flash = undefined;
    document.title = this.#plainTitle;
    setIcon("/icon.svg");
  }

  #closeNotification(): void {
    this.#notification?.shown.close();
    this.#notification = null;
  }

  #startFlash(call: CallView): void {
    if (this.#flash !== undefined) return;
    const ringing = `📞 ${this.#words.title(call)}`;
    const flip = (): void => {
      document.title = document.title === ringing ? this.#plainTitle : ringing;
    };
    flip();
    setIcon("/icon-ringing.svg");
    const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#flash = setInterval(isStill ? () => undefined : flip, FLASH_EVERY_MS);
  }
}

function setIcon(href: string): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (link !== null && link.getAttribute("href") !== href) link.href = href;
}
