import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface InputProps {
  readonly type?: 'text' | 'search' | 'password' | 'number' | 'date' | 'datetime-local';
  readonly value: string;
  readonly required?: boolean;
  readonly autocomplete?: 'username' | 'current-password' | 'one-time-code' | 'off';
  readonly autocapitalize?: 'none';
  readonly spellcheck?: boolean;
  readonly inputMode?: 'email';
  readonly maxLength?: number;
  readonly min?: string;
  readonly max?: string;
}

interface FieldProps extends InputProps {
  readonly label: string;
  readonly hint?: string;
  readonly onText: (text: string) => void;
}

/** An input with its label and hint. */
export function Field({ label, hint, onText, ...input }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...(hint !== undefined && { 'aria-describedby': `${id}-hint` })}
        // The types of an input depend on its literal `type`.
        {...(input as object)}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface SelectProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly onChoice: (value: T) => void;
  /** Only screen readers get the label. */
  readonly isLabelHidden?: boolean;
}

/** A list of choices with its label. */
export function Select<T extends string>({ label, value, options, onChoice, isLabelHidden }: SelectProps<T>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={isLabelHidden ? 'visually-hidden' : ''}>
        {label}
      </label>
      <select id={id} value={value} onChange={({ currentTarget }) => onChoice(currentTarget.value as T)}>
        {Object.entries<string>(options).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

/** A box that can be ticked, with its label. */
export function CheckBox(props: {
  readonly label: ComponentChildren;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.isChecked}
        onChange={({ currentTarget }) => props.onChange(currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}
