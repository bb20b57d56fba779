/** Who did what in the account, newest first. */

import { Group, Paper, Select, Skeleton, Stack, Text, TextInput, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { refusalOf } from "../api/client";
import table from "../calls/CallTable.module.css";
import { formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { MoreButton } from "../ui/MoreButton";
import { Problem } from "../ui/Problem";
import { type AuditLine, type AuditQuery, access, type Person } from "./client";
import { deeds, isAboutCall, isDeed, keyOf } from "./deeds";
import { factsOf } from "./facts";

export function Audit() {
  const { t } = useTranslation();
  const [query, setQuery] = useState<AuditQuery>({});
  const people = useQuery({
    queryKey: ["users"],
    queryFn: ({ signal }) => access.people(signal),
  });
  const list = useInfiniteQuery({
    queryKey: ["audit", query],
    queryFn: ({ pageParam, signal }) => access.audit({ ...query, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const lines = list.data?.pages.flatMap((page) => page.items);
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="audit">
      <Stack gap="md" p="lg">
        <Title order={2} id="audit">
          {t("access.audit")}
        </Title>
        <Filters query={query} people={people.data?.items ?? []} onChange={setQuery} />
      </Stack>
      {list.error && <Problem title={t("access.failed")} refused={refusalOf(list.error)} />}
      {list.isPending && <Skeleton h={240} m="lg" />}
      {lines?.length === 0 && (
        <Text p="lg" c="var(--quiet)">
          {t("access.no_deeds")}
        </Text>
      )}
      {lines && lines.length > 0 && <Lines lines={lines} people={people.data?.items ?? []} />}
      <Group justify="center">
        <MoreButton list={list} m="md" />
      </Group>
    </Paper>
  );
}

interface FiltersProps {
  query: AuditQuery;
  people: readonly Person[];
  onChange: (query: AuditQuery) => void;
}

function Filters({ query, people, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const set = (change: AuditQuery): void => onChange({ ...query, ...change });
  return (
    <Group gap="sm" align="end">
      <Select
        label={t("access.deed_kind")}
        data={deeds.map((value) => ({ value, label: t(`access.deed.${keyOf(value)}`) }))}
        value={query.action ?? null}
        onChange={(value) => set({ action: value ?? undefined })}
        clearable
        searchable
      />
      <Select
        label={t("access.who")}
        data={people.map(({ id, name }) => ({ value: id, label: name }))}
        value={query.actor ?? null}
        onChange={(value) => set({ actor: value ?? undefined })}
        clearable
        searchable
      />
      <TextInput
        type="date"
        label={t("access.from_day")}
        value={query.since ?? ""}
        onChange={(event) => set({ since: event.currentTarget.value || undefined })}
      />
      <TextInput
        type="date"
        label={t("access.to_day")}
        value={query.until ?? ""}
        onChange={(event) => set({ until: event.currentTarget.value || undefined })}
      />
    </Group>
  );
}

interface LinesProps {
  lines: readonly AuditLine[];
  people: readonly Person[];
}

function Lines({ lines, people }: LinesProps) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  return (
    <table className={table.table} aria-labelledby="audit">
      <thead>
        <tr>
          <th scope="col">{t("access.when")}</th>
          <th scope="col">{t("access.who")}</th>
          <th scope="col">{t("access.what")}</th>
          <th scope="col">{t("access.subject")}</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
          <tr key={`${line.at} ${place}`}>
            <td data-label={t("access.when")}>{formatMoment(line.at, timezone)}</td>
            <td data-label={t("access.who")}>
              <Who line={line} />
            </td>
            <td data-label={t("access.what")}>
              <div>
                {isDeed(line.action) ? t(`access.deed.${keyOf(line.action)}`) : line.action}
                <span className={table.quiet}>{factsOf(line, t)}</span>
              </div>
            </td>
            <td data-label={t("access.subject")}>
              <Subject line={line} people={people} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Who({ line }: { line: AuditLine }) {
  const { t } = useTranslation();
  const token = line.token && t("access.by_token", { name: line.token.name ?? line.token.id });
  const person = line.actor && (line.actor.name ?? line.actor.id);
  if (token === null && person === null) return t("access.by_gateway");
  return (
    <div>
      {person ?? token}
      {person !== null && token !== null && <span className={table.quiet}>{token}</span>}
    </div>
  );
}

function Subject({ line, people }: { line: AuditLine; people: readonly Person[] }) {
  if (isAboutCall(line.action)) {
    return (
      <Link to={`/calls/${line.subject}`}>
        <code>{line.subject.slice(0, 8)}…</code>
      </Link>
    );
  }
  const person = people.find(({ id }) => id === line.subject);
  return person ? person.name : <code>{line.subject}</code>;
}
