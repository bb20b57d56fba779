/** Plain words for something that failed; Meta's and our own codes kept beside them. */

import { Alert, Code, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Refused } from "../api/client";
import type { MetaFault } from "../api/types";
import { IconAlertTriangle } from "./icons";
import { problemText } from "./names";

interface ProblemProps {
  title: string;
  refused: Refused;
  onDismiss?: () => void;
}

export function Problem({ title, refused, onDismiss }: ProblemProps) {
  const { t } = useTranslation();
  return (
    <ProblemPanel
      title={title}
      text={problemText(refused, t)}
      code={refused.code}
      detail={refused.problem.detail ?? null}
      meta={refused.problem.meta ?? null}
      {...(onDismiss && { onDismiss })}
    />
  );
}

interface PanelProps {
  title: string;
  text: string;
  code: string;
  detail: string | null;
  meta: MetaFault | null;
  onDismiss?: () => void;
}

export function ProblemPanel({ title, text, code, detail, meta, onDismiss }: PanelProps) {
  const { t } = useTranslation();
  return (
    <Alert
      color="red"
      variant="light"
      title={title}
      icon={<IconAlertTriangle aria-hidden />}
      role="alert"
      withCloseButton={onDismiss !== undefined}
      closeButtonLabel={t("app.dismiss")}
      {...(onDismiss && { onClose: onDismiss })}
    >
      <Stack gap={6}>
        <Text size="sm">{text}</Text>
        {meta && (
          <Text size="sm">
            <strong>{t("problem.meta", { code: meta.code })}:</strong>{" "}
            {[meta.message, meta.details].filter(Boolean).join(" · ")}
          </Text>
        )}
        <details>
          <Text component="summary" size="xs" style={{ cursor: "pointer" }}>
            {t("problem.more")}
          </Text>
          <Text size="xs" mt={4}>
            {t("problem.code")}: <Code>{code}</Code> {detail}
          </Text>
        </details>
      </Stack>
    </Alert>
  );
}
