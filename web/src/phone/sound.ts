/** All that this page makes sound itself: ring, ringback, test tone. Made, not loaded. */

import type { Preferences } from "./preferences";
import type { Store } from "./store";

/** `setSinkId` is missing in some browsers; there everything sounds on the default device. */
type WithSink = { setSinkId?: (id: string) => Promise<void> };

export const canChooseOutput = "setSinkId" in HTMLMediaElement.prototype;

/** One burst: frequencies, start and length in seconds from the beginning of the cycle. */
interface Burst {
  hz: readonly number[];
  at: number;
  for: number;
}

const RING: readonly Burst[] = [
  { hz: [659, 831], at: 0, for: 0.35 },
  { hz: [784, 988], at: 0.4, for: 0.35 },
  { hz: [659, 831], at: 0.8, for: 0.5 },
];
const RING_EVERY_MS = 3_000;
/** What a caller hears in Indonesia while it rings (ITU-T E.180): 425 Hz, 1 s on, 4 s off. */
const RINGBACK: readonly Burst[] = [{ hz: [425], at: 0, for: 1 }];
const RINGBACK_EVERY_MS = 5_000;
const TEST: readonly Burst[] = [{ hz: [440, 660], at: 0, for: 0.2 }];
const RAMP_S = 0.015;

type Output = "ringer" | "speaker";

export class Sound {
  readonly context = new AudioContext({ latencyHint: "interactive" });
  readonly #preferences: Store<Preferences>;
  readonly #outputs: Record<Output, { gain: GainNode; player: HTMLAudioElement }>;
  #playing: { what: "ring" | "ringback"; stop: () => void } | null = null;

  constructor(preferences: Store<Preferences>) {
    this.#preferences = preferences;
    this.#outputs = { ringer: this.#makeOutput(), speaker: this.#makeOutput() };
  }

  get canSound(): boolean {
    return this.context.state === "running";
  }

  /**
   * Wake the audio up. Only a person's gesture may do so (autoplay policy); without one this
   * resolves to false after a moment. A browser without any output device stays silent too.
   */
  async unlock(withinMs = 1_000): Promise<boolean> {
    const late = new Promise<void>((done) => setTimeout(done, withinMs));
    await Promise.race([this.context.resume().catch(() => undefined), late]);
    return this.canSound;
  }

  ring(): void {
    this.#repeat("ring", "ringer", RING, RING_EVERY_MS);
  }

  ringback(): void {
    this.#repeat("ringback", "speaker", RINGBACK, RINGBACK_EVERY_MS);
  }

  hush(): void {
    this.#playing?.stop();
    this.#playing = null;
  }

  get isRinging(): boolean {
    return this.#playing?.what === "ring";
  }

  /** A short tone on one of the outputs. */
  async test(output: Output): Promise<void> {
    await this.#wake(output);
    this.#play(output, TEST);
  }

  #makeOutput(): { gain: GainNode; player: HTMLAudioElement } {
    const gain = this.context.createGain();
    const stream = this.context.createMediaStreamDestination();
    gain.connect(stream);
    const player = new Audio();
    player.srcObject = stream.stream;
    return { gain, player };
  }

  #repeat(
    what: "ring" | "ringback",
    output: Output,
    bursts: readonly Burst[],
    everyMs: number,
  ) {
    if (this.#playing?.what === what) return;
    this.hush();
    let stopBurst: () => void = () => undefined;
    const once = (): void => {
      stopBurst = this.#play(output, bursts);
    };
    const timer = setInterval(once, everyMs);
    this.#playing = {
      what,
      stop: () => {
        clearInterval(timer);
        stopBurst();
      },
    };
    void this.#wake(output).then(() => {
      if (this.#playing?.what === what) once();
    });
  }

  async #wake(output: Output): Promise<void> {
    const { gain, player } = this.#outputs[output];
    const { ringer, speaker, ringerVolume } = this.#preferences.get();
    gain.gain.value = output === "ringer" ? ringerVolume : 0.25;
    await playOn(player, output === "ringer" ? ringer : speaker);
    // Without a gesture the browser refuses; the page then says "click to hear rings".
    await player.play().catch(() => undefined);
  }

  #play(output: Output, bursts: readonly Burst[]): () => void {
    const now = this.context.currentTime + 0.02;
    const envelope = this.context.createGain();
    envelope.gain.value = 0;
    envelope.connect(this.#outputs[output].gain);
    const oscillators = bursts.flatMap((burst) => {
      const from = now + burst.at;
      const until = from + burst.for;
      envelope.gain.setValueAtTime(0, from);
      envelope.gain.linearRampToValueAtTime(0.4 / burst.hz.length, from + RAMP_S);
      envelope.gain.setValueAtTime(0.4 / burst.hz.length, until - RAMP_S);
      envelope.gain.linearRampToValueAtTime(0, until);
      return burst.hz.map((hz) => {
        const oscillator = this.context.createOscillator();
        oscillator.frequency.value = hz;
        oscillator.connect(envelope);
        oscillator.start(from);
        oscillator.stop(until);
        return oscillator;
      });
    });
    oscillators.at(-1)?.addEventListener("ended", () => envelope.disconnect());
    return () => {
      for (const oscillator of oscillators) oscillator.stop();
      envelope.disconnect();
    };
  }
}

/** Send an element's sound to a device; one that is gone falls back to the default. */
export async function playOn(player: HTMLAudioElement, deviceId: string | null): Promise<void> {
  const choose = (player as WithSink).setSinkId?.bind(player);
  if (choose === undefined) return;
  await choose(deviceId ?? "").catch(() => choose("").catch(() => undefined));
}
