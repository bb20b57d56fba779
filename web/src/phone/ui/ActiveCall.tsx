/** The call in progress: state, timer, controls, hints. */

import { Alert, Box, Button, Group, Paper, Stack, Text, UnstyledButton } from "@mantine/core";
import type { TFunction } from "i18next";
import { type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { CallView } from "../../api/types";
import { formatDuration } from "../../i18n/format";
import {
  IconMicrophone,
  IconMicrophoneOff,
  IconPhoneOff,
  IconPlayerPause,
  IconPlayerPlay,
} from "../../ui/icons";
import { talkedMs } from "../calls";
import { useControl, useOwnership, usePhone, useStation } from "../context";
import type { Status } from "../status";
import classes from "./Call.module.css";
import { Meter } from "./Meter";
import { PersonFacts, PersonHead } from "./PersonCard";
import { Quality } from "./Quality";
import { RecordingBadge } from "./RecordingBadge";
import { useServerNow, useStatus } from "./useStatus";

export function ActiveCall({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const status = useStatus();
  const { callHere } = useControl();
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    // The button that brought us here is gone: keep the keyboard's place beside the call.
    if (document.activeElement === document.body) section.current?.focus();
  }, []);
  return (
    <Paper
      component="section"
      ref={section}
      tabIndex={-1}
      withBorder
      p="lg"
      className={classes.panel}
      aria-label={t("call.region")}
    >
      <Stack gap="lg">
        <Group justify="space-between" align="flex-start" gap="sm">
          <PersonHead peer={call.peer} detail={stateText(status, call, t)} />
          <Timer call={call} />
        </Group>
        <RecordingBadge call={call} />
        <Hints call={call} status={status} />
        <CallControls call={call} />
        {callHere === call.id && <LabelledMeter />}
        <PersonFacts call={call} />
        {call.state === "talking" && <Quality call={call} />}
      </Stack>
    </Paper>
  );
}

function stateText(status: Status, call: CallView, t: TFunction): string {
  if (status === "connecting" && call.state === "talking") return t("call.connecting_sound");
  return t(`status.${status}`);
}

function LabelledMeter() {
  const { t } = useTranslation();
  return (
    <Group gap="xs" wrap="nowrap" c="var(--quiet)">
      <IconMicrophone size={18} aria-hidden />
      <Box flex={1}>
        <Meter label={t("ready.level")} />
      </Box>
    </Group>
  );
}

/** Runs from the pick-up, on the server's clock. */
export function Timer({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const talked = talkedMs(call, useServerNow());
  if (talked === null) return null;
  return (
    <div className={classes.timer} role="timer" aria-label={t("call.duration")}>
      {formatDuration(talked)}
    </div>
  );
}

/** So long may the first packet take before the person is told. */
const NO_SOUND_AFTER_MS = 5_000;

function Hints({ call, status }: { call: CallView; status: Status }) {
  const { t } = useTranslation();
  const { muted, held, sound, soundWaitMs, isTalkingWhileMuted, callHere } = useControl();
  const isHere = callHere === call.id;
  const hints: string[] = [];
  if (isTalkingWhileMuted) hints.push(t("call.muted_talking"));
  else if (muted ?? call.muted) hints.push(t("call.muted"));
  if (held ?? call.held) hints.push(t("call.held"));
  const isWaiting = isHere && call.state === "talking" && sound === "none";
  if (isWaiting && soundWaitMs > NO_SOUND_AFTER_MS) hints.push(t("call.no_sound_yet"));
  if (isHere && sound === "stalled" && !(held ?? call.held)) hints.push(t("call.stalled"));
  return (
    <>
      {status === "agent_away" && <Away call={call} />}
      {!isHere && status !== "agent_away" && <NotHere />}
      {hints.map((hint) => (
        <Alert key={hint} color="yellow" variant="light" py="xs" role="status">
          <Text size="sm">{hint}</Text>
        </Alert>
      ))}
    </>
  );
}

function Away({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const now = useServerNow();
  const { control } = usePhone();
  const { callHere, pending } = useControl();
  const until = call.reattach_until ? Date.parse(call.reattach_until) : null;
  const seconds = until === null ? null : Math.max(0, Math.ceil((until - now) / 1000));
  return (
    <Alert color="red" variant="light" title={t("call.away_title")} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          {seconds === null ? t("call.away_text_open") : t("call.away_text", { seconds })}
        </Text>
        {callHere !== call.id && (
          <Button
            size="xs"
            loading={pending === "resume"}
            onClick={() => void control.resume()}
          >
            {t("call.resume")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** The call runs, but its sound is not in this tab. */
function NotHere() {
  const { t } = useTranslation();
  const { control } = usePhone();
  const { pending, isAttaching } = useControl();
  const ownership = useOwnership();
  const { phase } = useStation();
  if (pending === "answer" || pending === "dial" || isAttaching) return null;
  if (ownership === "deciding") return null;
  if (ownership === "elsewhere") {
    return <Alert color="blue" variant="light" title={t("call.resume_elsewhere")} />;
  }
  if (phase === "checking") return null;
  return (
    <Alert color="blue" variant="light" title={t("call.resume_title")}>
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{t("call.resume_text")}</Text>
        <Button size="xs" loading={pending === "resume"} onClick={() => void control.resume()}>
          {t("call.resume")}
        </Button>
      </Stack>
    </Alert>
  );
}

export function CallControls({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { control } = usePhone();
  const state = useControl();
  const muted = state.muted ?? call.muted;
  const held = state.held ?? call.held;
  const isTalking = call.state === "talking";
  const isUnanswered = call.state === "dialling" || call.state === "remote_ringing";
  return (
    <Stack gap="sm">
      {isTalking && (
        <Group gap="sm">
          <Toggle
            text={muted ? t("call.unmute") : t("call.mute")}
            isOn={muted}
            icon={muted ? <IconMicrophoneOff aria-hidden /> : <IconMicrophone aria-hidden />}
            onClick={() => void control.mute(!muted)}
          />
          <Toggle
            text={held ? t("call.unhold") : t("call.hold")}
            isOn={held}
            icon={held ? <IconPlayerPlay aria-hidden /> : <IconPlayerPause aria-hidden />}
            onClick={() => void control.hold(!held)}
          />
        </Group>
      )}
      <Button
        size="md"
        fullWidth
        className={classes.hangUp}
        leftSection={<IconPhoneOff size={20} aria-hidden />}
        loading={state.pending === "hang_up"}
        onClick={() => void control.hangUp()}
      >
        {isUnanswered ? t("call.cancel") : t("call.hang_up")}
      </Button>
    </Stack>
  );
}

interface ToggleProps {
  text: string;
  isOn: boolean;
  icon: ReactNode;
  onClick: () => void;
}

function Toggle({ text, isOn, icon, onClick }: ToggleProps) {
  return (
    <UnstyledButton className={classes.round} data-on={isOn || undefined} onClick={onClick}>
      {icon}
      {text}
    </UnstyledButton>
  );
}
