/** The way to the next page of a list; nothing where there is none. */

import { Button, type ButtonProps } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** What of an infinite query is needed. */
interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

interface MoreProps extends Pick<ButtonProps, "m" | "mt"> {
  list: Paged;
}

export function MoreButton({ list, ...margins }: MoreProps) {
  const { t } = useTranslation();
  if (!list.hasNextPage) return null;
  return (
    <Button
      variant="default"
      loading={list.isFetchingNextPage}
      onClick={() => void list.fetchNextPage()}
      {...margins}
    >
      {t("list.more")}
    </Button>
  );
}
