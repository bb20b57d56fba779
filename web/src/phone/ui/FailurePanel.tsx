/** What a person tried and what went wrong, until dismissed or tried again. */

import { Box } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Problem } from "../../ui/Problem";
import { useControl, usePhone } from "../context";

export function FailurePanel() {
  const { t } = useTranslation();
  const { control } = usePhone();
  const { failure } = useControl();
  if (failure === null) return null;
  return (
    <Box mb="md">
      <Problem
        title={t(`deed.${failure.deed}`)}
        refused={failure.refused}
        onDismiss={() => control.dismissFailure()}
      />
    </Box>
  );
}
