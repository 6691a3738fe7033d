"""CMS 2008-2010 Data Entrepreneurs' Synthetic Public Use File: beneficiary summaries and inpatient claims.

Column meanings from the file's codebook (CMS, DE 1.0 Codebook). Chronic flags: 1 yes, 2 no.
"""

from __future__ import annotations

from contracts.model import Phi
from contracts.sources.layout import FileLayout, Source, numbered, plain, private

CHRONIC_FLAGS = {
    "sp_alzhdmta": "Alzheimer's or related disorders", "sp_chf": "Heart failure", "sp_chrnkidn": "Chronic kidney disease",
    "sp_cncr": "Cancer", "sp_copd": "Chronic obstructive pulmonary disease", "sp_depressn": "Depression",
    "sp_diabetes": "Diabetes", "sp_ischmcht": "Ischemic heart disease", "sp_osteoprs": "Osteoporosis",
    "sp_ra_oa": "Rheumatoid arthritis or osteoarthritis", "sp_strketia": "Stroke or transient ischemic attack",
}  # fmt: skip
_PARTS = {"ip": "inpatient", "op": "outpatient", "car": "carrier"}

BENEFICIARY_SUMMARY = FileLayout(
    entity="beneficiary_summary",
    description="One row per beneficiary and year; the year stands in the file's name only.",
    required=("desynpuf_id", "bene_birth_dt", "bene_sex_ident_cd", "bene_hi_cvrage_tot_mons",
              "bene_smi_cvrage_tot_mons", "bene_hmo_cvrage_tot_mons"),
    file_pattern=r"beneficiary",
    columns=(
        *private(Phi.PLAN_ID, desynpuf_id="Beneficiary."),
        *private(Phi.DATE, bene_birth_dt="Date of birth, YYYYMMDD.", bene_death_dt="Date of death, YYYYMMDD, first of the month."),
        *plain(bene_sex_ident_cd="1 male, 2 female.", bene_race_cd="1 white, 2 black, 3 other, 5 hispanic.",
               bene_esrd_ind="Y with end-stage renal disease, else 0.", sp_state_code="SSA state code."),
        *private(Phi.GEOGRAPHY, bene_county_cd="SSA county code."),
        *plain(bene_hi_cvrage_tot_mons="Months of part A coverage in the year.",
               bene_smi_cvrage_tot_mons="Months of part B coverage in the year.",
               bene_hmo_cvrage_tot_mons="Months in an HMO in the year.",
               plan_cvrg_mos_num="Months of part D coverage in the year."),
        *plain(**{name: f"{text}: 1 yes, 2 no." for name, text in CHRONIC_FLAGS.items()}),
        *plain(**{f"{kind}_{part}": f"{text} in the year, {name}, dollars." for part, name in _PARTS.items()
                  for kind, text in (("medreimb", "Medicare reimbursement"), ("benres", "Beneficiary's responsibility"),
                                     ("pppymt", "Primary payer's payment"))}),
    ),
)  # fmt: skip

INPATIENT_CLAIM = FileLayout(
    entity="inpatient_claim",
    description="Inpatient claims; a row with SEGMENT 2 continues the claim of the same number.",
    required=("desynpuf_id", "clm_id", "segment", "clm_from_dt", "clm_thru_dt", "clm_pmt_amt", "clm_admsn_dt",
              "nch_bene_dschrg_dt", "clm_drg_cd", "icd9_dgns_cd_1"),
    file_pattern=r"inpatient",
    columns=(
        *private(Phi.PLAN_ID, desynpuf_id="Beneficiary."),
        *private(Phi.ACCOUNT, clm_id="Claim."),
        *plain(segment="1, or 2 for the continuation of a claim."),
        *private(Phi.DATE, clm_from_dt="First day of the claim, YYYYMMDD.", clm_thru_dt="Last day of the claim, YYYYMMDD."),
        *plain(prvdr_num="Institution.", clm_pmt_amt="Paid by Medicare, dollars; negative on some claims.",
               nch_prmry_pyr_clm_pd_amt="Paid by a primary payer, dollars.", at_physn_npi="NPI of the attending physician.",
               op_physn_npi="NPI of the operating physician.", ot_physn_npi="NPI of another physician."),
        *private(Phi.DATE, clm_admsn_dt="Admission, YYYYMMDD."),
        *plain(admtng_icd9_dgns_cd="Admitting diagnosis.", clm_pass_thru_per_diem_amt="Pass-through per diem, dollars.",
               nch_bene_ip_ddctbl_amt="Deductible, dollars.", nch_bene_pta_coinsrnc_lblty_am="Coinsurance, dollars.",
               nch_bene_blood_ddctbl_lblty_am="Blood deductible, dollars.", clm_utlztn_day_cnt="Days used."),
        *private(Phi.DATE, nch_bene_dschrg_dt="Discharge, YYYYMMDD."),
        *plain(clm_drg_cd="DRG; OTH for the rare ones."),
        *numbered("icd9_dgns_cd", 10, "ICD-9 diagnosis {n}."),
        *numbered("icd9_prcdr_cd", 6, "ICD-9 procedure {n}."),
        *numbered("hcpcs_cd", 45, "HCPCS code {n}."),
    ),
)  # fmt: skip

DESYNPUF = Source(
    name="desynpuf",
    description="CMS DE-SynPUF: synthetic Medicare beneficiaries and inpatient claims, 2008-2010.",
    files=(BENEFICIARY_SUMMARY, INPATIENT_CLAIM),
    unused_pattern=r"(outpatient_claims|carrier_claims|prescription_drug)",
)
