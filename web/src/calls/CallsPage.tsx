/** All calls that this person may see, newest first. */

import {
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
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { Direction } from "../api/types";
import { QuotaPanel } from "../recordings/QuotaPanel";
import { MoreButton } from "../ui/MoreButton";
import { Problem } from "../ui/Problem";
import { useFilters } from "../ui/useFilters";
import { CallTable } from "./CallTable";

const PAGE = 25;
const directions = ["all", "inbound", "outbound"] as const;

interface Filters {
  direction: (typeof directions)[number];
  isLive: boolean;
}

const filtersInAddress = {
  read: (params: URLSearchParams): Filters => ({
    direction: directions.find((each) => each === params.get("direction")) ?? "all",
    isLive: params.get("live") === "1",
  }),
  write: ({ direction, isLive }: Filters): URLSearchParams =>
    new URLSearchParams({
      ...(direction !== "all" && { direction }),
      ...(isLive && { live: "1" }),
    }),
};

export default function CallsPage() {
  const { t } = useTranslation();
  const [filters, setFilters] = useFilters(filtersInAddress);
  const { isLive } = filters;
  const direction: Direction | undefined =
    filters.direction === "all" ? undefined : filters.direction;
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
            onChange={(event) =>
              setFilters({ ...filters, isLive: event.currentTarget.checked })
            }
          />
          <SegmentedControl
            aria-label={t("direction.label")}
            data={directions.map((value) => ({ value, label: t(`direction.${value}`) }))}
            value={filters.direction}
            onChange={(value) =>
              setFilters({ ...filters, direction: value as Filters["direction"] })
            }
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
      <MoreButton list={list} />
    </Stack>
  );
}
