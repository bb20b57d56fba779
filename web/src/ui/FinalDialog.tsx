/** Asks before something that cannot be taken back; whoever only presses Enter keeps it. */

import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface FinalProps {
  title: string;
  children: ReactNode;
  /** What the buttons say: the one that leaves all as it is, and the one that does it. */
  keep: string;
  deed: string;
  /** What was asked for has been typed. */
  isMeant: boolean;
  isBusy: boolean;
  /** It is under way and nobody may look away. */
  isLocked?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function FinalDialog(props: FinalProps) {
  const { t } = useTranslation();
  const { title, children, keep, deed, isMeant, isBusy, isLocked = false } = props;
  return (
    <Modal
      opened
      onClose={() => !isLocked && props.onClose()}
      title={title}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      <Stack gap="md">
        {children}
        <Group justify="flex-end">
          <Button variant="default" onClick={props.onClose} disabled={isLocked} data-autofocus>
            {keep}
          </Button>
          <Button color="red" disabled={!isMeant} loading={isBusy} onClick={props.onConfirm}>
            {deed}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
