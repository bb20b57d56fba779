/** All calls that this person may see, newest first. */

import {
  Button,
  Group,
  Paper,
  SegmentedControl,
  Skeleton,
  Stack,
  Switch,
  Text,
  Title,
} from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { Direction } from "../api/types";
import { QuotaPanel } from "../recordings/QuotaPanel";
import { Problem } from "../ui/Problem";
import { CallTable } from "./CallTable";

const PAGE = 25;
const filters = ["all", "inbound", "outbound"] as const;

export default function CallsPage() {
  const { t } = useTranslation();
  const [filter, setFilter] = useState<(typeof filters)[number]>("all");
  const [isLive, setLive] = useState(false);
  const direction: Direction | undefined = filter === "all" ? undefined : filter;
  const list = useInfiniteQuery({
    queryKey: ["calls", "list", direction, isLive],
    queryFn: ({ pageParam, signal }) =>
      api.calls({ cursor: pageParam, limit: PAGE, direction, live: isLive }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const calls = list.data?.pages.flatMap((page) => page.items);
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Title order={1}>{t("list.title")}</Title>
        <Group gap="md">
          <Switch
            label={t("list.live")}
            checked={isLive}
            onChange={(event) => setLive(event.currentTarget.checked)}
          />
          <SegmentedControl
            aria-label={t("direction.label")}
            data={filters.map((value) => ({ value, label: t(`direction.${value}`) }))}
            value={filter}
            onChange={(value) => setFilter(value as (typeof filters)[number])}
          />
        </Group>
      </Group>
      <QuotaPanel />
      {list.error && <Problem title={t("list.failed")} refused={refusalOf(list.error)} />}
      {list.isPending && <Skeleton h={240} />}
      {calls?.length === 0 && (
        <Paper withBorder p="xl" bg="var(--panel)">
          <Text ta="center" c="var(--quiet)">
            {t("list.none")}
          </Text>
        </Paper>
      )}
      {calls && calls.length > 0 && <CallTable calls={calls} />}
      {list.hasNextPage && (
        <Button
          variant="default"
          loading={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          {t("list.more")}
        </Button>
      )}
    </Stack>
  );
}
