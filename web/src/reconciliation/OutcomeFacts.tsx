/** What became of both recordings of a call: verdict in words, lengths, offset, digest. */

import { Badge, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { CallView, RecordingOutcome } from "../api/types";
import facts from "../minutes/MinutesPage.module.css";
import { shortDuration, signedSeconds, toneOf } from "./outcome";

export function OutcomeFacts({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const outcome = call.recording?.outcome;
  if (!outcome) return null;
  return (
    <Stack gap="sm">
      <Verdict outcome={outcome} />
      <Lengths outcome={outcome} />
      <Text size="sm" data-testid="digest">
        {t(`outcome_digest.${outcome.digest}`)}
      </Text>
    </Stack>
  );
}

/** The verdict in words, and whether it may still change. */
export function Verdict({ outcome }: { outcome: RecordingOutcome }) {
  const { t } = useTranslation();
  if (outcome.verdict === null) {
    return <Text size="sm">{t("verdict.none")}</Text>;
  }
  return (
    <div>
      <Group gap="xs">
        <Badge
          variant="light"
          color={toneOf(outcome.verdict)}
          data-testid="verdict"
          data-verdict={outcome.verdict}
        >
          {t(`verdict.${outcome.verdict}`)}
        </Badge>
        {outcome.cut_by_quota && (
          <Badge variant="outline" color="orange">
            {t("detail.cut_by_quota")}
          </Badge>
        )}
        <Badge variant="outline" color="gray">
          {outcome.final ? t("detail.final") : t("detail.provisional")}
        </Badge>
      </Group>
      <Text size="sm" mt={6}>
        {t(`verdict_text.${outcome.verdict}`)}
      </Text>
    </div>
  );
}

function Lengths({ outcome }: { outcome: RecordingOutcome }) {
  const { t } = useTranslation();
  const record = outcome.record === null ? null : t(`detail.record_is.${outcome.record}`);
  const shown: [string, string | null][] = [
    [t("detail.stored"), shortDuration(outcome.stored_ms)],
    [t("detail.record"), record],
    [t("detail.official"), shortDuration(outcome.official_ms)],
    [t("detail.local"), shortDuration(outcome.local_ms)],
    [t("detail.offset_of"), signedSeconds(outcome.offset_ms)],
  ];
  return (
    <dl className={facts.facts}>
      {shown.map(
        ([label, value]) =>
          value !== null && (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
