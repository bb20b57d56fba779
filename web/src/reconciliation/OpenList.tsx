/** Recordings that are not settled: why, and until when. */

import { Badge, Group, Paper, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, refusalOf } from "../api/client";
import type { OpenRecording } from "../api/types";
import table from "../calls/CallTable.module.css";
import { formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { DirectionSign } from "../ui/DirectionSign";
import { MoreButton } from "../ui/MoreButton";
import { nameOf } from "../ui/names";
import { Problem } from "../ui/Problem";

const PAGE = 25;
const AGAIN_MS = 60_000;

export function OpenList() {
  const { t } = useTranslation();
  const [isRiskOnly, setRiskOnly] = useState(false);
  const list = useInfiniteQuery({
    queryKey: ["open", isRiskOnly],
    queryFn: ({ pageParam, signal }) =>
      api.openRecordings({ cursor: pageParam, limit: PAGE, at_risk: isRiskOnly }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: AGAIN_MS,
  });
  const items = list.data?.pages.flatMap((page) => page.items);
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="open">
      <Stack gap="xs">
        <Group justify="space-between" gap="sm" p="lg" pb={0}>
          <div>
            <Title order={2} id="open">
              {t("reconciliation.open")}
            </Title>
            <Text size="sm" c="var(--quiet)">
              {t("reconciliation.open_lead")}
            </Text>
          </div>
          <Switch
            label={t("reconciliation.at_risk_only")}
            checked={isRiskOnly}
            onChange={(event) => setRiskOnly(event.currentTarget.checked)}
          />
        </Group>
        {list.error && (
          <Problem title={t("reconciliation.open_failed")} refused={refusalOf(list.error)} />
        )}
        {list.isPending && <Skeleton h={120} w="auto" m="lg" />}
        {items?.length === 0 && (
          <Text p="lg" pt="xs" c="var(--quiet)">
            {isRiskOnly ? t("reconciliation.none_at_risk") : t("reconciliation.none_open")}
          </Text>
        )}
        {items && items.length > 0 && <Rows items={items} />}
        <MoreButton list={list} m="lg" mt={0} />
      </Stack>
    </Paper>
  );
}

function Rows({ items }: { items: readonly OpenRecording[] }) {
  const { t } = useTranslation();
  return (
    <table className={table.table} aria-labelledby="open">
      <thead>
        <tr>
          <th scope="col">{t("list.person")}</th>
          <th scope="col">{t("detail.ended_at")}</th>
          <th scope="col">{t("reconciliation.waits_for")}</th>
          <th scope="col">{t("reconciliation.until")}</th>
          <th scope="col">{t("reconciliation.tries")}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <Row key={item.call_id} item={item} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ item }: { item: OpenRecording }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  return (
    <tr>
      <td>
        <span className={table.person}>
          <DirectionSign direction={item.direction} outcome={null} />
          <Link to={`/calls/${item.call_id}`}>{nameOf(item.peer, t)}</Link>
        </span>
      </td>
      <td data-label={t("detail.ended_at")}>{formatMoment(item.ended_at, timezone)}</td>
      <td data-label={t("reconciliation.waits_for")}>
        <span>
          {item.at_risk && (
            <Badge variant="filled" color="red" mr="xs">
              {t("reconciliation.at_risk")}
            </Badge>
          )}
          {t(`waits_for.${item.waits_for}`)}
        </span>
      </td>
      <td data-label={t("reconciliation.until")}>
        {item.until === null ? "–" : formatMoment(item.until, timezone)}
      </td>
      <td data-label={t("reconciliation.tries")}>
        {item.tries === 0 ? "–" : `${item.tries} · ${item.trouble}`}
      </td>
    </tr>
  );
}
