/** The trace of a call as a ladder: one lane for each party, one row for each step. */

import { Group, Paper, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { TraceLine } from "../api/types";
import { formatOffset } from "../i18n/format";
import { useLine } from "../phone/context";
import { Problem } from "../ui/Problem";
import classes from "./Ladder.module.css";
import { fieldTexts, lanes, placeOf, readable, stepOf } from "./trace";

interface LadderProps {
  callId: string;
  /** When the call ended; null while it runs. */
  endedAt: string | null;
}

const LIVE_EVERY_MS = 3_000;
/** The last steps (Meta's farewell) come after the end. */
const SETTLED_AFTER_MS = 10_000;

export function Ladder({ callId, endedAt }: LadderProps) {
  const { t } = useTranslation();
  const { clockOffsetMs } = useLine();
  const isGrowing = (): boolean =>
    endedAt === null || Date.now() + clockOffsetMs < Date.parse(endedAt) + SETTLED_AFTER_MS;
  const [hasFields, setHasFields] = useState(false);
  const { data, error } = useQuery({
    queryKey: ["trace", callId],
    queryFn: ({ signal }) => api.trace(callId, signal),
    refetchInterval: () => (isGrowing() ? LIVE_EVERY_MS : false),
  });
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="trace">
      <Stack gap="md">
        <Group justify="space-between" gap="sm">
          <div>
            <Title order={2} id="trace">
              {t("detail.trace")}
            </Title>
            <Text size="sm" c="var(--quiet)">
              {t("detail.trace_lead")}
            </Text>
          </div>
          <Switch
            label={t("detail.fields")}
            checked={hasFields}
            onChange={(event) => setHasFields(event.currentTarget.checked)}
          />
        </Group>
        {!data && !error && <Skeleton h={200} />}
        {error && <TraceFailed error={error} />}
        {data?.lines.length === 0 && <Text size="sm">{t("detail.trace_none")}</Text>}
        {data && data.lines.length > 0 && <Rows lines={data.lines} hasFields={hasFields} />}
      </Stack>
    </Paper>
  );
}

function TraceFailed({ error }: { error: unknown }) {
  const { t } = useTranslation();
  const refused = refusalOf(error);
  if (refused.code === "forbidden") {
    return <Text size="sm">{t("detail.trace_forbidden")}</Text>;
  }
  return <Problem title={t("detail.trace_failed")} refused={refused} />;
}

function Rows({ lines, hasFields }: { lines: readonly TraceLine[]; hasFields: boolean }) {
  const { t } = useTranslation();
  return (
    <div className={classes.ladder}>
      <div className={classes.head} aria-hidden>
        <span>{t("detail.offset")}</span>
        <span className={classes.names}>
          {lanes.map((lane) => (
            <span key={lane}>{t(`detail.lane.${lane}`)}</span>
          ))}
        </span>
        <span>{t("detail.step")}</span>
      </div>
      <ol className={classes.rows} aria-label={t("detail.trace")}>
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: appended, never reordered; two may be alike
          <Row key={`${line.at}/${index}`} line={line} hasFields={hasFields} />
        ))}
      </ol>
    </div>
  );
}

function Row({ line, hasFields }: { line: TraceLine; hasFields: boolean }) {
  const { t } = useTranslation();
  const step = stepOf(line);
  const { left, width, isLeftward } = placeOf(step);
  const from = t(`detail.lane.${step.from}`);
  const spoken =
    step.from === step.to
      ? t("detail.within", { at: from })
      : t("detail.from_to", { from, to: t(`detail.lane.${step.to}`) });
  const fields = hasFields ? fieldTexts(line.fields) : [];
  return (
    <li className={classes.row}>
      <time className={classes.offset} dateTime={line.at} title={line.at}>
        {formatOffset(line.offset_ms)}
      </time>
      <span className={classes.lanes} data-source={line.source}>
        {lanes.map((lane) => (
          <span
            key={lane}
            className={classes.rail}
            style={{ left: `${placeOf({ from: lane, to: lane }).left}%` }}
          />
        ))}
        <span
          className={width === 0 ? classes.dot : classes.arrow}
          data-leftward={isLeftward || undefined}
          style={{ left: `${left}%`, width: width === 0 ? undefined : `${width}%` }}
        />
        <span className="visually-hidden">{spoken}</span>
      </span>
      <div className={classes.step}>
        {readable(line.step)}
        {fields.length > 0 && (
          <dl className={classes.fields}>
            {fields.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </li>
  );
}
