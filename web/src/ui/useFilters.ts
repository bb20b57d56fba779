/** Filters that live in the address: they outlast a reload, go back with it, and can be shared. */

import { useMemo, useRef } from "react";
import { useLocation, useSearch } from "wouter";

interface Kind<T> {
  /** Never fails: what an address says wrongly counts as not said. */
  read: (params: URLSearchParams) => T;
  /** Only what differs from no filter at all. */
  write: (filters: T) => URLSearchParams;
}

/**
 * Typing in one field is one step back, not one for each letter; `typed` names such fields.
 * `kind` must stay the same object.
 */
export function useFilters<T extends object>(
  kind: Kind<T>,
  typed: readonly (keyof T)[] = [],
): [T, (filters: T) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const typedLast = useRef<{ field: keyof T | null; search: string } | null>(null);
  const filters = useMemo(() => kind.read(new URLSearchParams(search)), [kind, search]);
  const change = (wanted: T): void => {
    const params = kind.write(wanted).toString();
    if (params === search) return;
    const field = typed.find((name) => wanted[name] !== filters[name]) ?? null;
    const last = typedLast.current;
    const replace = field !== null && last?.field === field && last.search === search;
    typedLast.current = { field, search: params };
    navigate(params === "" ? path : `${path}?${params}`, { replace });
  };
  return [filters, change];
}
