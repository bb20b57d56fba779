/** Opens a recording in a pop-up; what plays it is loaded only then. */

import { ActionIcon } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { IconPlayerPlay } from "../ui/icons";

const PlayerDialog = lazy(() => import("./PlayerDialog"));

export interface Playable {
  id: string;
  /** With whom it was. */
  who: string;
  durationMs: number;
}

export function PlayButton({ what }: { what: Playable }) {
  const { t } = useTranslation();
  const [isOpen, dialog] = useDisclosure(false);
  const label = t("player.open", { who: what.who });
  return (
    <>
      <ActionIcon
        variant="light"
        radius="xl"
        aria-label={label}
        title={label}
        onClick={dialog.open}
      >
        <IconPlayerPlay size={18} aria-hidden />
      </ActionIcon>
      {isOpen && (
        <Suspense>
          <PlayerDialog what={what} onClose={dialog.close} />
        </Suspense>
      )}
    </>
  );
}
