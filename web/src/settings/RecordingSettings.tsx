/** What calls are recorded, by whom, and what both sides hear before. Only admins change it. */

import { Radio, Select, Skeleton, Stack, Switch, Text, Textarea } from "@mantine/core";
import {
  type UseMutationResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { CallSettings, CallSettingsChange } from "../api/types";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";
import { AnnouncementSettings } from "./AnnouncementSettings";
import {
  changeOf,
  type Draft,
  draftOf,
  obstacleOf,
  purposeLength,
  spokenOf,
} from "./recordingForm";
import { SettingsForm } from "./SettingsForm";

export const CALL_SETTINGS = ["settings", "calls"];

export function RecordingSettings() {
  const { t } = useTranslation();
  const read = useQuery({
    queryKey: CALL_SETTINGS,
    queryFn: ({ signal }) => api.callSettings(signal),
  });
  const queries = useQueryClient();
  // Kept out here: the form begins anew with every version, what became of it does not.
  const save = useMutation({
    mutationFn: api.changeCallSettings,
    onSuccess: (saved) => queries.setQueryData(CALL_SETTINGS, saved),
  });
  if (read.data) {
    return <RecordingForm key={read.data.version} settings={read.data} save={save} />;
  }
  if (read.error) {
    return <Problem title={t("record.failed")} refused={refusalOf(read.error)} />;
  }
  return <Skeleton h={320} />;
}

interface FormProps {
  settings: CallSettings;
  save: UseMutationResult<CallSettings, Error, CallSettingsChange>;
}

function RecordingForm({ settings, save }: FormProps) {
  const { t } = useTranslation();
  const isAdmin = useMe().user.role === "admin";
  const [draft, setDraft] = useState<Draft>(() => draftOf(settings));
  const change = (part: Partial<Draft>): void => setDraft((now) => ({ ...now, ...part }));
  const obstacle = obstacleOf(draft, settings);
  const hint = obstacle === null || obstacle === "unchanged" ? null : obstacle;
  return (
    <SettingsForm
      id="record"
      title={t("record.title")}
      isAdmin={isAdmin}
      deed={t("record.save")}
      status={
        <>
          {hint !== null && t(`record.obstacle.${hint}`)}
          {save.isSuccess && obstacle === "unchanged" && t("record.saved")}
        </>
      }
      canSave={obstacle === null}
      isBusy={save.isPending}
      refused={save.error && refusalOf(save.error)}
      onSave={() => save.mutate(changeOf(draft, settings.version))}
    >
      <Choices draft={draft} change={change} />
      {draft.mode === "official" ? (
        <Spoken draft={draft} settings={settings} change={change} />
      ) : (
        <AnnouncementSettings settings={settings} isAdmin={isAdmin} />
      )}
    </SettingsForm>
  );
}

interface PartProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

const which = ["none", "inbound", "outbound", "both"] as const;

function Choices({ draft, change }: PartProps) {
  const { t } = useTranslation();
  return (
    <>
      <Select
        label={t("record.which")}
        data={which.map((value) => ({ value, label: t(`record.records.${value}`) }))}
        value={draft.records}
        allowDeselect={false}
        onChange={(value) => value !== null && change({ records: value as Draft["records"] })}
      />
      <Radio.Group
        label={t("record.mode")}
        value={draft.mode}
        onChange={(value) => change({ mode: value as Draft["mode"] })}
      >
        <Stack gap="sm" mt="xs">
          {(["official", "local"] as const).map((mode) => (
            <Radio
              key={mode}
              value={mode}
              label={t(`record.${mode}`)}
              description={t(`record.${mode}_hint`)}
            />
          ))}
        </Stack>
      </Radio.Group>
    </>
  );
}

function Spoken({ draft, change, settings }: PartProps & { settings: CallSettings }) {
  const { t, i18n } = useTranslation();
  const names = new Intl.DisplayNames([i18n.language], { type: "language" });
  const spoken = spokenOf(draft, settings);
  const max = settings.purpose_chars_max;
  return (
    <>
      <Select
        label={t("record.language")}
        data={settings.languages.map(({ code }) => ({
          value: code,
          label: names.of(code.replace("_", "-")) ?? code,
        }))}
        value={draft.language}
        allowDeselect={false}
        searchable
        onChange={(value) => value !== null && change({ language: value })}
      />
      <Textarea
        label={t("record.purpose")}
        description={t("record.purpose_hint", { count: purposeLength(draft), max })}
        value={draft.purpose}
        autosize
        minRows={2}
        error={purposeLength(draft) > max}
        onChange={(event) => change({ purpose: event.currentTarget.value })}
      />
      {spoken !== null && (
        <Stack gap={4}>
          <Text size="sm" fw={500}>
            {t("record.spoken")}
          </Text>
          <Text component="blockquote" m={0} data-testid="spoken" lang={draft.language}>
            {spoken}
          </Text>
        </Stack>
      )}
      <Switch
        label={t("record.transcription")}
        description={t("record.transcription_hint")}
        checked={draft.transcription}
        onChange={(event) => change({ transcription: event.currentTarget.checked })}
      />
      {draft.transcription && (
        <Switch
          label={t("record.transcription_alone")}
          checked={draft.transcription_alone}
          onChange={(event) => change({ transcription_alone: event.currentTarget.checked })}
        />
      )}
    </>
  );
}
