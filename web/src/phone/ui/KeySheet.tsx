/** The list of keyboard shortcuts. */

import { Kbd, Modal, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { usePreferences } from "../context";
import { keys } from "../keys";

export default function KeySheet({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const { shortcuts } = usePreferences();
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("keys.title")}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      <Stack gap="sm">
        <Table>
          <Table.Tbody>
            {keys.map(([key, deed]) => (
              <Table.Tr key={key}>
                <Table.Td>
                  <Kbd>{key.toUpperCase()}</Kbd>
                </Table.Td>
                <Table.Td>{t(`keys.${deed}`)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <Text size="sm" c="var(--quiet)">
          {shortcuts ? t("keys.note") : t("keys.off")}
        </Text>
      </Stack>
    </Modal>
  );
}
