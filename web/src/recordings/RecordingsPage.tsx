/** All recordings of the account: found, heard, downloaded, held, deleted. */

import { Alert, Anchor, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { library, type RecordingItem } from "../api/library";
import { formatMinutes } from "../i18n/format";
import { useLine } from "../phone/context";
import { IconDownload } from "../ui/icons";
import { MoreButton } from "../ui/MoreButton";
import { Problem } from "../ui/Problem";
import { useFilters } from "../ui/useFilters";
import { ChosenBar } from "./ChosenBar";
import { DeleteDialog } from "./DeleteDialog";
import { FilterBar } from "./FilterBar";
import { filtersInAddress, typedFilters } from "./filters";
import { HoldDialog } from "./HoldDialog";
import { QuotaPanel } from "./QuotaPanel";
import { queryOf } from "./query";
import { RecordingsTable } from "./RecordingsTable";

const PAGE = 25;
const TYPING_MS = 300;

export default function RecordingsPage() {
  const { t } = useTranslation();
  const [filters, setFilters] = useFilters(filtersInAddress, typedFilters);
  const [settled] = useDebouncedValue(filters, TYPING_MS);
  const query = queryOf(settled);
  const list = useInfiniteQuery({
    queryKey: ["recordings", "list", query],
    queryFn: ({ pageParam, signal }) =>
      library.list({ ...query, cursor: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled: query !== null,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [doomed, setDoomed] = useState<readonly RecordingItem[] | null>(null);
  const [held, setHeld] = useState<RecordingItem | null>(null);
  const [returnedMs, setReturnedMs] = useState<number | null>(null);
  const picked = items.filter(({ id }) => chosen.has(id));
  const none = (): void => setChosen(new Set());
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Title order={1}>{t("library.title")}</Title>
        {query !== null && (
          <Anchor href={library.tableAddress(query)} download size="sm">
            <Group gap={4} component="span">
              <IconDownload size={16} aria-hidden />
              {t("library.table")}
            </Group>
          </Anchor>
        )}
      </Group>
      <QuotaPanel isOnRecordings />
      <Paper withBorder p="md" bg="var(--panel)">
        <FilterBar filters={filters} agents={useAgents(items)} onChange={setFilters} />
      </Paper>
      {returnedMs !== null && (
        <Alert
          color="green"
          variant="light"
          role="status"
          withCloseButton
          closeButtonLabel={t("app.dismiss")}
          onClose={() => setReturnedMs(null)}
        >
          {t("delete.done", { minutes: formatMinutes(returnedMs) })}
        </Alert>
      )}
      {list.error && <Problem title={t("library.failed")} refused={refusalOf(list.error)} />}
      {list.isPending && query !== null && <Skeleton h={240} />}
      {list.data && items.length === 0 && (
        <Paper withBorder p="xl" bg="var(--panel)">
          <Text ta="center" c="var(--quiet)">
            {t("library.none")}
          </Text>
        </Paper>
      )}
      {picked.length > 0 && (
        <ChosenBar items={picked} onDelete={() => setDoomed(picked)} onClear={none} />
      )}
      {items.length > 0 && (
        <RecordingsTable
          items={items}
          chosen={chosen}
          onChoose={setChosen}
          onDelete={(item) => setDoomed([item])}
          onHold={setHeld}
        />
      )}
      <MoreButton list={list} />
      {doomed !== null && (
        <DeleteDialog
          items={doomed}
          onClose={() => setDoomed(null)}
          onDone={(deleted) => {
            setReturnedMs(deleted.returned_ms);
            setDoomed(null);
            none();
          }}
        />
      )}
      {held !== null && <HoldDialog item={held} onClose={() => setHeld(null)} />}
    </Stack>
  );
}

/** Whoever is known by name: those who are here, and those in the list. */
function useAgents(items: readonly RecordingItem[]): { value: string; label: string }[] {
  const { presence } = useLine();
  const names = new Map<string, string>();
  for (const { user_id, name } of Object.values(presence)) names.set(user_id, name);
  for (const { agent } of items) if (agent) names.set(agent.id, agent.name);
  return [...names]
    .map(([value, label]) => ({ value, label }))
    .sort((a, b) => a.label.localeCompare(b.label));
}
