/** Recordings as a table; on a narrow screen each row becomes a small card. */

import { ActionIcon, Badge, Checkbox, Paper } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { library, type RecordingItem } from "../api/library";
import table from "../calls/CallTable.module.css";
import { formatDuration, formatMoment } from "../i18n/format";
import { formatPhone } from "../phone/address";
import { useMe } from "../phone/context";
import { DirectionSign } from "../ui/DirectionSign";
import { IconDownload, IconLock, IconLockOpen, IconTrash } from "../ui/icons";
import { nameOf } from "../ui/names";
import { PlayButton } from "./PlayButton";
import classes from "./Recordings.module.css";

interface TableProps {
  items: readonly RecordingItem[];
  chosen: ReadonlySet<string>;
  onChoose: (chosen: ReadonlySet<string>) => void;
  onDelete: (item: RecordingItem) => void;
  onHold: (item: RecordingItem) => void;
}

export function RecordingsTable({ items, chosen, onChoose, onDelete, onHold }: TableProps) {
  const { t } = useTranslation();
  const there = items.filter(({ state }) => state === "available");
  const all = there.length > 0 && there.every(({ id }) => chosen.has(id));
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  return (
    <Paper withBorder bg="var(--panel)">
      <table className={table.table}>
        <caption className="visually-hidden">{t("library.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">
              <Checkbox
                aria-label={t("library.choose_all")}
                checked={all}
                indeterminate={!all && there.some(({ id }) => chosen.has(id))}
                disabled={there.length === 0}
                onChange={() => onChoose(all ? new Set() : new Set(there.map(({ id }) => id)))}
              />
            </th>
            <th scope="col">{t("list.person")}</th>
            <th scope="col">{t("list.agent")}</th>
            <th scope="col">{t("library.began")}</th>
            <th scope="col">{t("list.duration")}</th>
            <th scope="col">{t("library.verdict")}</th>
            <th scope="col">{t("library.deeds")}</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <Row
              key={item.id}
              item={item}
              isChosen={chosen.has(item.id)}
              onToggle={() => toggle(item.id)}
              onDelete={() => onDelete(item)}
              onHold={() => onHold(item)}
            />
          ))}
        </tbody>
      </table>
    </Paper>
  );
}

interface RowProps {
  item: RecordingItem;
  isChosen: boolean;
  onToggle: () => void;
  onDelete: () => void;
  onHold: () => void;
}

function Row({ item, isChosen, onToggle, onDelete, onHold }: RowProps) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const who = nameOf(item.peer, t);
  const phone = item.peer.phone ? formatPhone(item.peer.phone) : null;
  return (
    <tr data-testid="recording-row">
      <td>
        <Checkbox
          aria-label={t("library.choose", { who })}
          checked={isChosen}
          disabled={item.state !== "available"}
          onChange={onToggle}
        />
      </td>
      <td>
        <span className={table.person}>
          {item.direction && <DirectionSign direction={item.direction} outcome="completed" />}
          <span>
            <strong>{who}</strong>
            {phone !== null && phone !== who && <span className={table.quiet}>{phone}</span>}
            {item.note && <span className={classes.note}>{item.note}</span>}
          </span>
        </span>
      </td>
      <td data-label={t("list.agent")}>{item.agent?.name ?? "–"}</td>
      <td data-label={t("library.began")}>{formatMoment(item.began_at, timezone)}</td>
      <td data-label={t("list.duration")}>{formatDuration(item.duration_ms)}</td>
      <td data-label={t("library.verdict")}>
        <Marks item={item} />
      </td>
      <td data-label={t("library.deeds")}>
        {item.state === "available" ? (
          <Deeds item={item} who={who} onDelete={onDelete} onHold={onHold} />
        ) : (
          item.ending && formatMoment(item.ending.at, timezone)
        )}
      </td>
    </tr>
  );
}

function Marks({ item }: { item: RecordingItem }) {
  const { t } = useTranslation();
  return (
    <span className={classes.marks}>
      <span>{t(`verdict.${item.verdict ?? "none"}`)}</span>
      {item.cut_by_quota && (
        <Badge variant="light" color="orange" miw="max-content">
          {t("library.cut")}
        </Badge>
      )}
      {item.hold !== null && (
        <Badge variant="light" color="blue" title={item.hold.why}>
          {t("library.held")}
        </Badge>
      )}
    </span>
  );
}

interface DeedsProps {
  item: RecordingItem;
  who: string;
  onDelete: () => void;
  onHold: () => void;
}

function Deeds({ item, who, onDelete, onHold }: DeedsProps) {
  const { t } = useTranslation();
  const isAdmin = useMe().user.role === "admin";
  const isHeld = item.hold !== null;
  const hold = isHeld ? t("library.release_of", { who }) : t("library.hold_of", { who });
  return (
    <span className={classes.deeds}>
      <PlayButton what={{ id: item.id, who, durationMs: item.duration_ms }} />
      <ActionIcon
        component="a"
        href={library.downloadAddress(item.id)}
        download
        variant="default"
        radius="xl"
        aria-label={t("library.download_of", { who })}
        title={t("library.download_of", { who })}
      >
        <IconDownload size={18} aria-hidden />
      </ActionIcon>
      {isAdmin && (
        <ActionIcon
          variant="default"
          radius="xl"
          aria-label={hold}
          title={hold}
          onClick={onHold}
        >
          {isHeld ? <IconLockOpen size={18} aria-hidden /> : <IconLock size={18} aria-hidden />}
        </ActionIcon>
      )}
      <ActionIcon
        variant="default"
        c="var(--bad)"
        radius="xl"
        disabled={isHeld}
        aria-label={t("library.delete_of", { who })}
        title={t("library.delete_of", { who })}
        onClick={onDelete}
      >
        <IconTrash size={18} aria-hidden />
      </ActionIcon>
    </span>
  );
}
