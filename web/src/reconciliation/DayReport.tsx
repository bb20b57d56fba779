/** Recorded calls by day: verdicts, what is stored and charged, and both recordings. */

import {
  Anchor,
  Group,
  Paper,
  SegmentedControl,
  Skeleton,
  Stack,
  Text,
  Title,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { Report, ReportDay, Verdict } from "../api/types";
import table from "../calls/CallTable.module.css";
import { formatDay } from "../i18n/format";
import { Problem } from "../ui/Problem";
import { shortDuration, signedSeconds } from "./outcome";

const spans = [7, 31, 92] as const;

export function DayReport() {
  const { t } = useTranslation();
  const [days, setDays] = useState<number>(31);
  const { data, error } = useQuery({
    queryKey: ["reconciliation", days],
    queryFn: ({ signal }) => api.reconciliation({ days }, signal),
  });
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="days">
      <Stack gap="xs">
        <Group justify="space-between" gap="sm" p="lg" pb={0}>
          <div>
            <Title order={2} id="days">
              {t("reconciliation.days")}
            </Title>
            <Text size="sm" c="var(--quiet)">
              {t("reconciliation.days_lead")}
            </Text>
          </div>
          <Group gap="md">
            <SegmentedControl
              aria-label={t("reconciliation.span")}
              data={spans.map((value) => ({
                value: String(value),
                label: t("reconciliation.days_count", { days: value }),
              }))}
              value={String(days)}
              onChange={(value) => setDays(Number(value))}
            />
            <Anchor href={api.reconciliationTable({ days })} download size="sm">
              {t("reconciliation.table")}
            </Anchor>
          </Group>
        </Group>
        {!data && !error && <Skeleton h={160} w="auto" m="lg" />}
        {error && (
          <Problem title={t("reconciliation.days_failed")} refused={refusalOf(error)} />
        )}
        {data?.days.length === 0 && (
          <Text p="lg" pt="xs" c="var(--quiet)">
            {t("reconciliation.none_recorded")}
          </Text>
        )}
        {data && data.days.length > 0 && <Rows report={data} />}
      </Stack>
    </Paper>
  );
}

function Rows({ report }: { report: Report }) {
  const { t } = useTranslation();
  return (
    <table className={table.table} aria-labelledby="days">
      <thead>
        <tr>
          <th scope="col">{t("reconciliation.day")}</th>
          <th scope="col">{t("reconciliation.calls")}</th>
          <th scope="col">{t("reconciliation.verdicts")}</th>
          <th scope="col">{t("detail.stored")}</th>
          <th scope="col">{t("reconciliation.charged")}</th>
          <th scope="col">{t("detail.official")}</th>
          <th scope="col">{t("detail.local")}</th>
          <th scope="col">{t("reconciliation.difference")}</th>
        </tr>
      </thead>
      <tbody>
        {report.days.toReversed().map((day) => (
          <Row key={day.day} day={day} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ day }: { day: ReportDay }) {
  const { t } = useTranslation();
  const verdicts = Object.entries(day.verdicts).map(
    ([verdict, count]) => `${t(`verdict.${verdict as Verdict}`)} ${count}`,
  );
  if (day.undecided > 0) verdicts.push(`${t("verdict.none")} ${day.undecided}`);
  const lengths: [string, string | null][] = [
    [t("detail.stored"), shortDuration(day.stored_ms)],
    [t("reconciliation.charged"), shortDuration(day.charged_ms)],
    [t("detail.official"), shortDuration(day.official_ms)],
    [t("detail.local"), shortDuration(day.local_ms)],
    [t("reconciliation.difference"), signedSeconds(day.difference_ms)],
  ];
  return (
    <tr>
      <td className={table.day}>{formatDay(day.day)}</td>
      <td data-label={t("reconciliation.calls")}>{day.calls}</td>
      <td data-label={t("reconciliation.verdicts")}>{verdicts.join(" · ")}</td>
      {lengths.map(([label, value]) => (
        <td key={label} data-label={label}>
          {value}
        </td>
      ))}
    </tr>
  );
}
