/** What was recorded and returned, day by day, and every entry of the ledger. */

import { Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { refusalOf } from "../api/client";
import { type LedgerLine, library } from "../api/library";
import table from "../calls/CallTable.module.css";
import { formatDay, formatMinutes, formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { MoreButton } from "../ui/MoreButton";
import { Problem } from "../ui/Problem";

const DAYS = 31;
const ADDS: readonly LedgerLine["kind"][] = ["top_up", "capacity_change", "expiry"];

export function UsageHistory() {
  return (
    <>
      <Days />
      <Entries />
    </>
  );
}

function Days() {
  const { t } = useTranslation();
  const { data, error } = useQuery({
    queryKey: ["usage", DAYS],
    queryFn: ({ signal }) => library.usage(DAYS, signal),
  });
  const days = [...(data?.days ?? [])].reverse();
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="usage">
      <Title order={2} id="usage" p="lg" pb="xs">
        {t("usage.title", { days: DAYS })}
      </Title>
      {error && <Problem title={t("usage.failed")} refused={refusalOf(error)} />}
      {!data && !error && <Skeleton h={120} w="auto" m="lg" />}
      {data && days.length === 0 && (
        <Text p="lg" pt={0} c="var(--quiet)">
          {t("usage.none")}
        </Text>
      )}
      {days.length > 0 && (
        <table className={table.table} aria-labelledby="usage">
          <thead>
            <tr>
              <th scope="col">{t("usage.day")}</th>
              <th scope="col">{t("usage.calls")}</th>
              <th scope="col">{t("usage.recorded")}</th>
              <th scope="col">{t("usage.returned")}</th>
            </tr>
          </thead>
          <tbody>
            {days.map((day) => (
              <tr key={day.day}>
                <td className={table.day}>{formatDay(day.day)}</td>
                <td data-label={t("usage.calls")}>{day.calls}</td>
                <td data-label={t("usage.recorded")}>{signed(day.recorded_ms)}</td>
                <td data-label={t("usage.returned")}>{formatMinutes(day.returned_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Paper>
  );
}

function Entries() {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const list = useInfiniteQuery({
    queryKey: ["ledger"],
    queryFn: ({ pageParam, signal }) => library.ledger(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const lines = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="ledger">
      <Stack gap="sm">
        <Title order={2} id="ledger" p="lg" pb={0}>
          {t("ledger.title")}
        </Title>
        {list.error && <Problem title={t("ledger.failed")} refused={refusalOf(list.error)} />}
        {list.isPending && <Skeleton h={120} w="auto" m="lg" />}
        {lines.length > 0 && (
          <table className={table.table} aria-labelledby="ledger">
            <thead>
              <tr>
                <th scope="col">{t("ledger.at")}</th>
                <th scope="col">{t("ledger.kind")}</th>
                <th scope="col">{t("ledger.amount")}</th>
                <th scope="col">{t("ledger.used")}</th>
                <th scope="col">{t("ledger.capacity")}</th>
                <th scope="col">{t("ledger.call")}</th>
              </tr>
            </thead>
            <tbody>
              {lines.map((line, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: entries are only ever appended below
                <tr key={place}>
                  <td>{formatMoment(line.at, timezone)}</td>
                  <td data-label={t("ledger.kind")}>{t(`ledger.kinds.${line.kind}`)}</td>
                  <td data-label={t("ledger.amount")}>
                    {signed(line.amount_ms)} {!ADDS.includes(line.kind) && t("ledger.of_used")}
                  </td>
                  <td data-label={t("ledger.used")}>{formatMinutes(line.used_ms)}</td>
                  <td data-label={t("ledger.capacity")}>{formatMinutes(line.capacity_ms)}</td>
                  <td data-label={t("ledger.call")}>
                    {line.call_id ? (
                      <Link to={`/calls/${line.call_id}`}>{t("call.open")}</Link>
                    ) : (
                      "–"
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <MoreButton list={list} m="lg" mt={0} />
      </Stack>
    </Paper>
  );
}

function signed(ms: number): string {
  return ms < 0 ? `−${formatMinutes(-ms)}` : formatMinutes(ms);
}
