/** Plays one recording: agent and customer drawn apart, seeking by pointer, slider or keys. */

import {
  ActionIcon,
  Group,
  Select,
  Slider,
  Stack,
  Text,
  useComputedColorScheme,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import WaveSurfer from "wavesurfer.js";
import { Refused, refusalOf } from "../api/client";
import { library, type Peaks } from "../api/library";
import { formatDuration } from "../i18n/format";
import {
  IconPlayerPause,
  IconPlayerPlay,
  IconRewindBackward10,
  IconRewindForward10,
} from "../ui/icons";
import { Problem } from "../ui/Problem";
import classes from "./Player.module.css";

const LEAP_S = 10;
const STEP_S = 1;
const LANE_PX = 46;
const PEAKS_LEAST = 600;
const SPEEDS = ["0.75", "1", "1.25", "1.5", "2"];

interface PlayerProps {
  id: string;
  durationMs: number;
  /** Begin at once: only after a person asked for it. */
  autoplay?: boolean;
}

export default function Player({ id, durationMs, autoplay = false }: PlayerProps) {
  const { t } = useTranslation();
  const peaks = useQuery({
    queryKey: ["peaks", id],
    queryFn: ({ signal }) => library.peaks(id, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const audio = useRef<HTMLAudioElement>(null);
  const sound = useSound(audio, durationMs / 1000);
  const [speed, setSpeed] = useState("1");

  const seek = (to: number): void => {
    const element = audio.current;
    const at = Math.min(Math.max(0, to), sound.duration);
    if (element) element.currentTime = at;
    // The next press counts from here, not from where the browser still is.
    sound.show(at);
  };
  const toggle = (): void => {
    const element = audio.current;
    if (!element) return;
    if (element.paused) void element.play().catch(() => undefined);
    else element.pause();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.target instanceof HTMLInputElement || event.altKey || event.ctrlKey) return;
    const leaps: Record<string, number> = { ArrowLeft: -LEAP_S, ArrowRight: LEAP_S };
    const leap = leaps[event.key];
    if (leap !== undefined && !isSlider(event.target)) {
      event.preventDefault();
      seek(sound.at + leap);
    }
  };
  const shown = `${formatDuration(sound.at * 1000)} / ${formatDuration(sound.duration * 1000)}`;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the controls inside, together
    <div className={classes.player} onKeyDown={onKey} data-testid="player">
      {/* biome-ignore lint/a11y/useMediaCaption: what was said is the call's transcript */}
      <audio
        ref={audio}
        src={library.audioAddress(id)}
        preload="metadata"
        autoPlay={autoplay}
      />
      <Stack gap="sm">
        {peaks.data && <Waves peaks={peaks.data} audio={audio} durationS={sound.duration} />}
        {sound.isBroken && (
          <Problem
            title={t("player.failed")}
            refused={new Refused(0, { code: "not_played" })}
          />
        )}
        {peaks.error && !sound.isBroken && (
          <Problem title={t("player.no_waves")} refused={refusalOf(peaks.error)} />
        )}
        <Slider
          min={0}
          max={Math.max(STEP_S, sound.duration)}
          step={STEP_S}
          value={Math.min(sound.at, sound.duration)}
          onChange={seek}
          label={(value) => formatDuration(value * 1000)}
          thumbLabel={t("player.position")}
          thumbProps={{ "aria-valuetext": shown }}
          size="sm"
        />
        <Group gap="xs" justify="space-between">
          <Group gap={6}>
            <Control
              label={t("player.back")}
              icon={IconRewindBackward10}
              onClick={() => seek(sound.at - LEAP_S)}
            />
            <Control
              label={sound.isPlaying ? t("player.pause") : t("player.play")}
              icon={sound.isPlaying ? IconPlayerPause : IconPlayerPlay}
              isMain
              onClick={toggle}
            />
            <Control
              label={t("player.forward")}
              icon={IconRewindForward10}
              onClick={() => seek(sound.at + LEAP_S)}
            />
            <Text size="sm" className={classes.clock} data-testid="player-clock">
              {shown}
            </Text>
          </Group>
          <Select
            aria-label={t("player.speed")}
            data={SPEEDS.map((value) => ({ value, label: `${value}×` }))}
            value={speed}
            onChange={(value) => {
              const chosen = value ?? "1";
              setSpeed(chosen);
              if (audio.current) audio.current.playbackRate = Number(chosen);
            }}
            allowDeselect={false}
            size="xs"
            w={84}
            comboboxProps={{ withinPortal: false }}
          />
        </Group>
      </Stack>
    </div>
  );
}

function isSlider(target: EventTarget): boolean {
  return target instanceof HTMLElement && target.getAttribute("role") === "slider";
}

interface ControlProps {
  label: string;
  icon: typeof IconPlayerPlay;
  isMain?: boolean;
  onClick: () => void;
}

function Control({ label, icon: Icon, isMain = false, onClick }: ControlProps) {
  return (
    <ActionIcon
      variant={isMain ? "filled" : "default"}
      size={isMain ? "xl" : "lg"}
      radius="xl"
      aria-label={label}
      title={label}
      onClick={onClick}
    >
      <Icon size={isMain ? 24 : 20} aria-hidden />
    </ActionIcon>
  );
}

interface Sound {
  at: number;
  duration: number;
  isPlaying: boolean;
  isBroken: boolean;
}

/** What the audio element does, as state. */
function useSound(
  audio: RefObject<HTMLAudioElement | null>,
  knownS: number,
): Sound & { show: (at: number) => void } {
  const [sound, setSound] = useState<Sound>({
    at: 0,
    duration: knownS,
    isPlaying: false,
    isBroken: false,
  });
  useEffect(() => {
    const element = audio.current;
    if (!element) return;
    const stop = new AbortController();
    const look = (): void =>
      setSound({
        at: element.currentTime,
        duration: Number.isFinite(element.duration) ? element.duration : knownS,
        isPlaying: !element.paused && !element.ended,
        isBroken: element.error !== null,
      });
    const events = [
      "timeupdate",
      "play",
      "pause",
      "ended",
      "seeked",
      "durationchange",
      "error",
    ];
    for (const event of events) element.addEventListener(event, look, { signal: stop.signal });
    look();
    return () => {
      stop.abort();
      element.pause();
    };
  }, [audio, knownS]);
  return { ...sound, show: (at) => setSound((before) => ({ ...before, at })) };
}

/** Short recordings have few peaks: each is repeated, so that they are drawn as closely. */
function drawable(lane: readonly number[], full: number): number[] {
  const times = Math.max(1, Math.ceil(PEAKS_LEAST / Math.max(1, lane.length)));
  return lane.flatMap((peak) => new Array<number>(times).fill(peak / full));
}

interface WavesProps {
  peaks: Peaks;
  audio: RefObject<HTMLAudioElement | null>;
  durationS: number;
}

/** Both sides, one above the other; the pointer seeks in them, the slider below does the same. */
function Waves({ peaks, audio, durationS }: WavesProps) {
  const { t } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  const isMixed = peaks.mixed.length > 0;
  // The colours are read when it is drawn.
  const scheme = useComputedColorScheme();
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read anew with the appearance
  useEffect(() => {
    const media = audio.current;
    if (!place.current || !media) return;
    const style = getComputedStyle(place.current);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const lanes = isMixed ? [peaks.mixed] : [peaks.agent, peaks.customer];
    const colours = ["--wave-agent", "--wave-customer"].map(colour);
    const waves = WaveSurfer.create({
      container: place.current,
      media,
      url: media.src,
      peaks: lanes.map((lane) => drawable(lane, peaks.full)),
      normalize: true,
      duration: durationS,
      height: LANE_PX,
      cursorColor: colour("--wave-cursor"),
      cursorWidth: 2,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      dragToSeek: true,
      splitChannels: lanes.map((_, lane) => ({
        waveColor: colour("--wave-quiet"),
        progressColor: colours[lane] ?? colour("--wave-agent"),
      })),
    });
    return () => waves.destroy();
  }, [peaks, audio, durationS, isMixed, scheme]);
  const names = isMixed ? [t("player.both")] : [t("player.agent"), t("player.customer")];
  return (
    <div className={classes.waves}>
      <div className={classes.names}>
        {names.map((name) => (
          <Text key={name} size="xs" c="var(--quiet)">
            {name}
          </Text>
        ))}
      </div>
      <div ref={place} className={classes.drawing} aria-hidden="true" data-testid="waves" />
    </div>
  );
}
