{#
  Versions of claim lines on the knowledge clock.

  - Copies of a line with one `known_at` are one row: the last paid, then voids before adjustments before originals. Lines of
    two members under one number are no copies: both stay, for a survey to tell of.
  - An adjustment (2) or void (1) replaces every line of its claim; a line delivered again replaces that line.
  - An original that arrives with or after an adjustment of its own claim is dropped: a late copy would revive
    what the adjustment replaced. No step looks at rows known later than the row it decides on, but for
    `superseded_at` itself.
#}
{% macro core_claim_versions(relation) %}
  select
    * except (known_us, copy_rank, first_change_us, next_change_at, next_line_at),
    least(next_change_at, next_line_at) as superseded_at,
    adjustment_type_code = '1' as is_void
  from (
    select
      *,
      min(case when adjustment_type_code <> '0' then known_at end) over (
        partition by data_source, claim_id order by known_us
        range between 1 following and unbounded following
      ) as next_change_at,
      min(known_at) over (
        partition by data_source, claim_id, claim_line_number order by known_us
        range between 1 following and unbounded following
      ) as next_line_at
    from (
      select
        *,
        row_number() over (
          partition by data_source, claim_id, claim_line_number, known_us, member_id
          order by
            coalesce(paid_date, date '9999-12-31') desc, adjustment_type_code desc, file_sha256, file_row_number desc
        ) as copy_rank,
        min(case when adjustment_type_code <> '0' then known_us end) over (
          partition by data_source, claim_id
        ) as first_change_us
      from (
        -- one shuffle by claim serves every window below and those of the caller that start with these keys
        select *, unix_micros(known_at) as known_us from {{ relation }} distribute by data_source, claim_id
      )
    )
    where copy_rank = 1 and (adjustment_type_code <> '0' or first_change_us is null or known_us < first_change_us)
  )
{% endmacro %}
