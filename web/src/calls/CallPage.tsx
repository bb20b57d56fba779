/** One call: who, when, how it ended, and every step of it. */

import { Anchor, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, Refused, refusalOf } from "../api/client";
import type { CallView } from "../api/types";
import { formatDuration, formatMoment } from "../i18n/format";
import { talkedMs } from "../phone/calls";
import { useLine, useMe } from "../phone/context";
import { newerRecording } from "../phone/recording";
import { PersonFacts, PersonHead } from "../phone/ui/PersonCard";
import { RecordingBadge } from "../phone/ui/RecordingBadge";
import { OutcomeFacts } from "../reconciliation/OutcomeFacts";
import { TranscriptPanel } from "../reconciliation/TranscriptPanel";
import { IconArrowLeft } from "../ui/icons";
import { outcomeText } from "../ui/names";
import { Problem } from "../ui/Problem";
import { Ladder } from "./Ladder";

const Player = lazy(() => import("../recordings/Player"));

const SETTLING_EVERY_MS = 5_000;
/** Verdict and transcript come some time after the end. */
const SETTLED_AFTER_MS = 300_000;

function isSettling(call: CallView | undefined, now: number): boolean {
  return Boolean(call?.ended_at) && now < Date.parse(call?.ended_at ?? "") + SETTLED_AFTER_MS;
}

export default function CallPage({ id }: { id: string }) {
  const { t } = useTranslation();
  const { live: calls, clockOffsetMs } = useLine();
  const live = calls[id];
  const { data, error } = useQuery({
    queryKey: ["calls", "one", id],
    queryFn: ({ signal }) => api.call(id, signal),
    refetchInterval: ({ state }) =>
      isSettling(state.data, Date.now() + clockOffsetMs) ? SETTLING_EVERY_MS : false,
  });
  const call = newer(live, data);
  return (
    <Stack gap="md">
      <Anchor component={Link} to="/calls" size="sm" w="fit-content">
        <Group gap={4} component="span">
          <IconArrowLeft size={16} aria-hidden />
          {t("detail.back")}
        </Group>
      </Anchor>
      {call === undefined && error === null && <Skeleton h={200} />}
      {call === undefined && error !== null && <CallFailed error={error} />}
      {call !== undefined && (
        <>
          <Facts call={call} />
          {call.recording?.state === "kept" && <Listen call={call} />}
          {call.transcript && <TranscriptPanel callId={id} />}
          <Ladder callId={id} endedAt={call.ended_at ?? null} />
        </>
      )}
    </Stack>
  );
}

/** What plays it is loaded with the page that needs it. */
function Listen({ call }: { call: CallView }) {
  const { t } = useTranslation();
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="recording">
      <Stack gap="md">
        <Title order={2} id="recording">
          {t("detail.recording")}
        </Title>
        <Suspense fallback={<Skeleton h={160} />}>
          <Player id={call.id} durationMs={call.recording?.duration_ms ?? 0} />
        </Suspense>
      </Stack>
    </Paper>
  );
}

function newer(a: CallView | undefined, b: CallView | undefined): CallView | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [newer, older] = a.version >= b.version ? [a, b] : [b, a];
  // What was read knows what became of the recording; what was told live may not.
  return {
    ...newer,
    recording: newerRecording(older.recording, newer.recording),
    transcript: newer.transcript || older.transcript,
  };
}

function CallFailed({ error }: { error: unknown }) {
  const { t } = useTranslation();
  const refused = refusalOf(error);
  if (refused.code === "not_found") return <Text>{t("detail.not_found")}</Text>;
  return <Problem title={t("detail.failed")} refused={refused} />;
}

function Facts({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const talked = call.state === "ended" ? talkedMs(call, 0) : null;
  const ended = call.state === "ended";
  const detail = [
    t(`direction.${call.direction}`),
    ended ? outcomeText(call.outcome, t) : t(`state.${call.state}`),
    talked === null ? null : formatDuration(talked),
  ];
  const facts: [string, string | null | undefined][] = [
    [t("detail.created_at"), formatMoment(call.created_at, timezone)],
    [t("detail.answered_at"), call.answered_at && formatMoment(call.answered_at, timezone)],
    [t("detail.ended_at"), call.ended_at && formatMoment(call.ended_at, timezone)],
    [t("person.answered_by"), call.agent?.name],
  ];
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)">
      <Stack gap="md">
        <Title order={1} className="visually-hidden">
          {t("detail.facts")}
        </Title>
        <PersonHead peer={call.peer} detail={detail.filter(Boolean).join(" · ")} />
        {call.problem && (
          <Problem
            title={outcomeText(call.outcome, t)}
            refused={new Refused(0, { ...call.problem, meta: call.problem.meta ?? null })}
          />
        )}
        <PersonFacts call={call} />
        <RecordingBadge call={call} />
        <OutcomeFacts call={call} />
        <Group gap="xl">
          {facts.map(
            ([label, value]) =>
              value && (
                <div key={label}>
                  <Text size="xs" c="var(--quiet)">
                    {label}
                  </Text>
                  <Text size="sm" fw={550}>
                    {value}
                  </Text>
                </div>
              ),
          )}
        </Group>
      </Stack>
    </Paper>
  );
}
