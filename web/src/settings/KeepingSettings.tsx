/** How long recordings are kept, and what happens without minutes. Only admins change it. */

import {
  Alert,
  Button,
  Group,
  NumberInput,
  Paper,
  Radio,
  Skeleton,
  Stack,
  Switch,
  Text,
  Title,
} from "@mantine/core";
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
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="keeping">
      <Stack gap="lg" maw={680}>
        <Title order={2} id="keeping">
          {t("keeping.title")}
        </Title>
        {!isAdmin && <Alert variant="light">{t("record.read_only")}</Alert>}
        <fieldset disabled={!isAdmin} style={{ border: 0, margin: 0, padding: 0 }}>
          <Choices draft={draft} max={rules.retention_days_max} change={change} />
        </fieldset>
        {save.error && asked === null && (
          <Problem title={t("record.not_saved")} refused={refusalOf(save.error)} />
        )}
        {isAdmin && (
          <Group gap="md">
            <Button
              onClick={submit}
              disabled={obstacle !== null}
              loading={save.isPending && asked === null}
            >
              {t("keeping.save")}
            </Button>
            <Text size="sm" c="var(--quiet)" role="status">
              {save.isSuccess && obstacle === "unchanged" && t("keeping.saved")}
            </Text>
          </Group>
        )}
        <GoingSoon />
      </Stack>
      {asked !== null && (
        <KeepingDialog
          days={asked.retention_days}
          save={() => save.mutate(asked)}
          isBusy={save.isPending}
          refused={save.error && refusalOf(save.error)}
          onClose={() => setAsked(null)}
        />
      )}
    </Paper>
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
    <Stack gap="lg">
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
    </Stack>
  );
}
