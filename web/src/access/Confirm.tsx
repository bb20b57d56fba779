/** Asks once more before something that cannot be taken back. */

import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Refused } from "../api/client";
import { Problem } from "../ui/Problem";

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** What the button says that does it. */
  deed: string;
  isBusy: boolean;
  refused: Refused | null;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm(props: ConfirmProps) {
  const { t } = useTranslation();
  const { title, children, deed, isBusy, refused, onConfirm, onClose } = props;
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      <Stack gap="md">
        <Text size="sm">{children}</Text>
        {refused && <Problem title={t("access.failed")} refused={refused} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>
            {t("access.cancel")}
          </Button>
          <Button color="red" loading={isBusy} onClick={onConfirm}>
            {deed}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
