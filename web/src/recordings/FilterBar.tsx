/** What the list of recordings is filtered by. */

import { Button, NumberInput, Select, Switch, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Verdict } from "../api/library";
import { type Filters, noFilters, queryOf, verdicts } from "./query";
import classes from "./Recordings.module.css";

interface BarProps {
  filters: Filters;
  agents: readonly { value: string; label: string }[];
  onChange: (filters: Filters) => void;
}

const directions = ["all", "inbound", "outbound"] as const;

export function FilterBar({ filters, agents, onChange }: BarProps) {
  const { t } = useTranslation();
  const set = (change: Partial<Filters>): void => onChange({ ...filters, ...change });
  return (
    <search className={classes.filters} aria-label={t("library.filters")}>
      <TextInput
        type="date"
        label={t("library.since")}
        value={filters.since}
        onChange={(event) => set({ since: event.currentTarget.value })}
      />
      <TextInput
        type="date"
        label={t("library.until")}
        value={filters.until}
        onChange={(event) => set({ until: event.currentTarget.value })}
      />
      <TextInput
        label={t("library.customer")}
        placeholder={t("library.customer_hint")}
        value={filters.customer}
        error={queryOf(filters) === null ? t("library.customer_fault") : null}
        onChange={(event) => set({ customer: event.currentTarget.value })}
      />
      <Select
        label={t("list.agent")}
        data={[...agents]}
        value={filters.agent}
        onChange={(agent) => set({ agent })}
        placeholder={t("library.anybody")}
        clearable
        clearButtonProps={{ "aria-label": t("library.anybody") }}
      />
      <Select
        label={t("direction.label")}
        data={directions.map((value) => ({ value, label: t(`direction.${value}`) }))}
        value={filters.direction}
        onChange={(value) => set({ direction: (value ?? "all") as Filters["direction"] })}
        allowDeselect={false}
      />
      <NumberInput
        label={t("library.min_minutes")}
        value={filters.minMinutes}
        onChange={(value) => set({ minMinutes: typeof value === "number" ? value : "" })}
        min={0}
        hideControls
      />
      <NumberInput
        label={t("library.max_minutes")}
        value={filters.maxMinutes}
        onChange={(value) => set({ maxMinutes: typeof value === "number" ? value : "" })}
        min={0}
        hideControls
      />
      <Select
        label={t("library.verdict")}
        data={verdicts.map((value) => ({ value, label: t(`verdict.${value}`) }))}
        value={filters.verdict}
        onChange={(value) => set({ verdict: value as Verdict | null })}
        placeholder={t("library.any_verdict")}
        clearable
        clearButtonProps={{ "aria-label": t("library.any_verdict") }}
      />
      <TextInput
        label={t("library.note_part")}
        value={filters.note}
        onChange={(event) => set({ note: event.currentTarget.value })}
        maxLength={200}
      />
      <div className={classes.switches}>
        {(["cutByQuota", "held", "deleted"] as const).map((name) => (
          <Switch
            key={name}
            label={t(`library.only.${name}`)}
            checked={filters[name]}
            onChange={(event) => set({ [name]: event.currentTarget.checked })}
          />
        ))}
        <Button size="xs" variant="subtle" onClick={() => onChange(noFilters)}>
          {t("library.clear")}
        </Button>
      </div>
    </search>
  );
}
