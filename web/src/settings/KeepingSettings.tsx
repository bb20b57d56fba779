/** How long recordings are kept, and what happens without minutes. Only admins change it. */

import { NumberInput, Radio, Skeleton, Stack, Switch } from "@mantine/core";
import {
  type UseMutationResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { type Keeping, type KeepingChange, keeping } from "../api/keeping";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";
import { GoingSoon } from "./GoingSoon";
import { KeepingDialog } from "./KeepingDialog";
import { changeOf, type Draft, draftOf, isShorter, isSpan, obstacleOf } from "./keepingForm";
import { SettingsForm } from "./SettingsForm";

const KEEPING = ["keeping", "rules"];

export function KeepingSettings() {
  const { t } = useTranslation();
  const read = useQuery({
    queryKey: KEEPING,
    queryFn: ({ signal }) => keeping.read(signal),
  });
  const queries = useQueryClient();
  // Kept out here: the form begins anew with every version, what became of it does not.
  const save = useMutation({
    mutationFn: keeping.change,
    onSuccess: async (saved) => {
      queries.setQueryData(KEEPING, saved);
      await Promise.all(
        [["keeping", "forecast"], ["recordings"]].map((queryKey) =>
          queries.invalidateQueries({ queryKey }),
        ),
      );
    },
  });
  if (read.data) {
    return <KeepingForm key={read.data.version} rules={read.data} save={save} />;
  }
  if (read.error) {
    return <Problem title={t("keeping.failed")} refused={refusalOf(read.error)} />;
  }
  return <Skeleton h={240} />;
}

interface FormProps {
  rules: Keeping;
  save: UseMutationResult<Keeping, Error, KeepingChange>;
}

function KeepingForm({ rules, save }: FormProps) {
  const { t } = useTranslation();
  const isAdmin = useMe().user.role === "admin";
  const [draft, setDraft] = useState<Draft>(() => draftOf(rules));
  const [asked, setAsked] = useState<KeepingChange | null>(null);
  const change = (part: Partial<Draft>): void => setDraft((now) => ({ ...now, ...part }));
  const obstacle = obstacleOf(draft, rules);
  const submit = (): void => {
    const wanted = changeOf(draft, rules);
    if (wanted === null) return;
    if (isShorter(wanted.retention_days, rules.retention_days)) setAsked(wanted);
    else save.mutate(wanted);
  };
  return (
    <>
      <SettingsForm
        id="keeping"
        title={t("keeping.title")}
        isAdmin={isAdmin}
        more={<GoingSoon />}
        deed={t("keeping.save")}
        status={save.isSuccess && obstacle === "unchanged" && t("keeping.saved")}
        canSave={obstacle === null}
        isBusy={save.isPending && asked === null}
        refused={save.error && asked === null ? refusalOf(save.error) : null}
        onSave={submit}
      >
        <Choices draft={draft} max={rules.retention_days_max} change={change} />
      </SettingsForm>
      {asked !== null && (
        <KeepingDialog
          days={asked.retention_days}
          save={() => save.mutate(asked)}
          isBusy={save.isPending}
          refused={save.error && refusalOf(save.error)}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

interface ChoicesProps {
  draft: Draft;
  max: number;
  change: (part: Partial<Draft>) => void;
}

function Choices({ draft, max, change }: ChoicesProps) {
  const { t } = useTranslation();
  return (
    <>
      <Radio.Group
        label={t("keeping.span")}
        description={t("keeping.span_hint")}
        value={draft.span}
        onChange={(value) => change({ span: value as Draft["span"] })}
      >
        <Stack gap="sm" mt="xs">
          <Radio value="two_years" label={t("keeping.two_years")} />
          <Radio value="days" label={t("keeping.own_days")} />
        </Stack>
      </Radio.Group>
      {draft.span === "days" && (
        <NumberInput
          label={t("keeping.days")}
          value={draft.days}
          onChange={(value) => change({ days: typeof value === "number" ? value : "" })}
          error={isSpan(draft.days, max) ? undefined : t("keeping.days_fault", { max })}
          allowDecimal={false}
          maw={260}
          hideControls
        />
      )}
      <Radio.Group
        label={t("keeping.when_full")}
        value={draft.when_full}
        onChange={(value) => change({ when_full: value as Draft["when_full"] })}
      >
        <Stack gap="sm" mt="xs">
          {(["auto", "stop", "rotate"] as const).map((rule) => (
            <Radio
              key={rule}
              value={rule}
              label={t(`keeping.full.${rule}`)}
              description={t(`keeping.full_hint.${rule}`)}
            />
          ))}
        </Stack>
      </Radio.Group>
      <Switch
        label={t("keeping.encrypts")}
        description={t("keeping.encrypts_hint")}
        checked={draft.encrypts}
        onChange={(event) => change({ encrypts: event.currentTarget.checked })}
      />
    </>
  );
}
