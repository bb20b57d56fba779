/** What became of the last call, until dismissed or the next one. */

import { Anchor, Button, CloseButton, Group, Paper, Stack, Text } from "@mantine/core";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { type DialTarget, Refused } from "../../api/client";
import type { CallView } from "../../api/types";
import { formatDuration } from "../../i18n/format";
import { IconPhone } from "../../ui/icons";
import { nameOf, outcomeText } from "../../ui/names";
import { Problem } from "../../ui/Problem";
import { talkedMs } from "../calls";
import { useControl, useMe, useOwnership, usePhone, useStation } from "../context";
import { outcomeOf } from "../recording";
import classes from "./Call.module.css";
import { RecordingBadge } from "./RecordingBadge";

export function LastCall({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { line } = usePhone();
  const title = titleOf(call, t);
  const outcome = outcomeText(call.outcome, t);
  const isSaid = call.state !== "ended" || call.outcome === "missed";
  return (
    <Paper component="section" withBorder p="md" className={classes.panel} aria-label={title}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={650}>{title}</Text>
          <CloseButton aria-label={t("app.dismiss")} onClick={() => line.dismissLastCall()} />
        </Group>
        <Text size="sm">
          {nameOf(call.peer, t)}
          {!isSaid && ` · ${outcome}`}
          <LinkToCall call={call} />
        </Text>
        {call.state === "ended" && <RecordingBadge call={call} />}
        <Compared call={call} />
        {call.problem && (
          <Problem
            title={outcome}
            refused={new Refused(0, { ...call.problem, meta: call.problem.meta ?? null })}
          />
        )}
        <CallBack call={call} />
      </Stack>
    </Paper>
  );
}

/** Once both recordings are compared: what came of it, in words. */
function Compared({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const outcome = outcomeOf(call);
  if (outcome?.verdict == null) return null;
  return (
    <Text size="sm" c="var(--quiet)" data-testid="compared" data-verdict={outcome.verdict}>
      {t(`verdict_text.${outcome.verdict}`)}
    </Text>
  );
}

/** Agents may look at their own calls only. */
function LinkToCall({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { user } = useMe();
  if (user.role === "agent" && call.agent?.id !== user.id) return null;
  return (
    <>
      {" · "}
      <Anchor component={Link} to={`/calls/${call.id}`} inherit underline="always">
        {t("call.open")}
      </Anchor>
    </>
  );
}

/** Nobody talked: the next thing to do is often to call. */
function CallBack({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { control } = usePhone();
  const { phase } = useStation();
  const { pending } = useControl();
  const isElsewhere = useOwnership() === "elsewhere";
  const to = targetOf(call);
  if (call.state !== "ended" || call.answered_at || to === null) return null;
  return (
    <Button
      size="xs"
      variant="default"
      w="fit-content"
      leftSection={<IconPhone size={16} aria-hidden />}
      disabled={phase !== "ready" || isElsewhere || pending !== null}
      onClick={() => void control.dial(to, call.number.id)}
    >
      {call.direction === "inbound" ? t("call.back") : t("call.again")}
    </Button>
  );
}

function targetOf({ peer }: CallView): DialTarget | null {
  if (peer.phone) return { phone: peer.phone };
  return peer.user_id ? { user_id: peer.user_id } : null;
}

function titleOf(call: CallView, t: TFunction): string {
  if (call.state !== "ended") return t("call.taken", { agent: call.agent?.name ?? "" });
  const talked = talkedMs(call, Date.now());
  if (talked !== null) return t("call.ended_after", { duration: formatDuration(talked) });
  if (call.outcome === "missed") return t("call.missed");
  const isOurFailure = call.direction === "outbound" && call.outcome === "failed";
  return isOurFailure ? t("deed.dial") : t("call.ended");
}
